"""What a trained model is worth: upstream loss and error, linear regression from few shots, fine-tuning."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import numpy as np

from scalectl.trainer import own
from scalectl.trainer.data.images import Images
from scalectl.trainer.evalset import evalsets, readings
from scalectl.trainer.events import Stop
from scalectl.trainer.finetune import finetune
from scalectl.trainer.programs import Programs
from scalectl.trainer.rng import Purpose, permutation
from scalectl.trainer.sharding import Layout
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec, upstream_metric
from scalectl.trainer.step import Readings

BIAS = 100.0  # a constant feature so large that the penalty hardly touches its weight


class NotFinite(Exception):  # noqa: N818 - a result, not an error of the program
    """A loss or a feature that is not finite, with weights that were only trained; the message names it."""


class Score(NamedTuple):
    """The value of a metric, and the number of test images that it was measured on."""

    metric: str
    value: float
    test_images: int


def evaluations(programs: Programs, params: Any, own: DataSpec, evals: EvalSpec, stopping: Stop) -> Iterator[Score]:
    """Yield the score of each metric of `evals`, in the order of `EvalSpec.metrics`; losses are in nats.

    `own` are the images of the study. The error of fine-tuning is NaN where no rate stayed finite. Raises NotFinite
    where losses or features are not, whichever metrics are asked for; Interrupted once `stopping` is set; ValueError
    where a class has too few images.
    """
    model = programs.shape.model

    @cache
    def held_out(data: DataSpec) -> Readings:  # once for all that is measured on it
        read = readings(programs, params, evalsets(data, model.image_size, model.channels)[1], stopping)
        if data == own and not np.isfinite(read.loss).all():  # that of other classes means nothing
            raise NotFinite("the loss of a held-out image")
        return read._replace(features=finite(read.features))

    for name in evals.upstream:
        read = held_out(own)
        yield Score(upstream_metric(name), *upstream(read, name))
    for data, group in groupby(evals.fewshot, key=lambda spec: spec.data or own):
        specs = list(group)
        pool, test = evalsets(data, model.image_size, model.channels)
        rows = drawn(pool.labels, specs)
        train = Drawn(finite(readings(programs, params, pool.take(rows), stopping).features), rows, pool.labels)
        for spec in specs:
            error = fewshot(train, Images(held_out(data).features, test.labels), spec)
            yield Score(spec.metric, error, len(test))
    if tuning := evals.finetune:
        pool, test = evalsets(tuning.data or own, tuning.resolution, model.channels)
        tuned = finetune(model, params, pool, test, tuning, stopping, programs.layout)
        programs.compile_seconds += tuned.compile_seconds
        programs.compilations += tuned.compilations
        if np.isnan(tuned.error):
            held_out(own)  # which tells whether the weights were finite before
        yield Score(tuning.metric, tuned.error, len(test))


def can_be_measured(own: DataSpec, evals: EvalSpec, layout: Layout) -> None:
    """Raise ValueError where a class has too few images for the shots, or none to tell those of the test images by; or
    where devices can't share a fine-tuning batch.

    Of the images only labels are read.
    """
    if tuning := evals.finetune:
        try:
            layout.rows(tuning.batch_size)
        except ValueError as error:
            raise ValueError(f"evals.finetune.batch_size: {error}") from error
    for spec in evals.fewshot:
        data = spec.data or own
        pool, test = evalsets(data, data.image_size, data.channels)
        drawn(pool.labels, [spec])
        if len(unseen := np.setdiff1d(test.labels, pool.labels)):
            raise ValueError(f"few shots of {spec.dataset}: class {unseen[0]} has no image but held-out ones")


def finite(features: np.ndarray) -> np.ndarray:
    """The features as they are; raises NotFinite where one is not."""
    if not np.isfinite(features).all():
        raise NotFinite("a feature of an image")
    return features


# What each metric of spec.Upstream makes of what the model says of the held-out images: a value for each of them.
MEASURES: dict[str, Callable[[Readings], Any]] = {
    "loss": lambda read: read.loss,
    "error": lambda read: read.wrong,
    "precision@1": lambda read: ~read.wrong,
}


def upstream(read: Readings, name: str) -> tuple[float, int]:
    """A metric, built in or added, of the images that were read, and how many of them it is the mean of.

    It is NaN of none. A metric that is a number by itself takes all of them. Raises ValueError for what is neither a
    number nor a value for each image that counts.
    """
    measure = MEASURES[name] if name in MEASURES else own.thing("metric", name)
    found = np.ma.asarray(measure(read))
    if found.ndim > 1:
        gave = f"metric {own.plain(name)!r} gave an array of shape {found.shape}"
        raise ValueError(f"{gave}; return a value for each image that counts, or a number")
    values = found.compressed()  # what is masked doesn't count
    value = float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")
    return value, len(values) if found.ndim else len(read.wrong)


class Pool(Protocol):
    """Features by number, and the labels of all of them."""

    @property
    def labels(self) -> np.ndarray:
        """Labels (count)."""

    def take(self, rows: np.ndarray) -> Images:
        """The features and labels of some rows, in their order."""


@dataclass(frozen=True)
class Drawn:
    """A pool of which no more is read than `rows`, which rise."""

    features: np.ndarray
    rows: np.ndarray
    labels: np.ndarray  # of the whole pool

    def take(self, rows: np.ndarray) -> Images:
        """The features and labels of some of the rows that were read."""
        return Images(self.features[np.searchsorted(self.rows, rows)], self.labels[rows])


def drawn(labels: np.ndarray, specs: Sequence[FewshotSpec]) -> np.ndarray:
    """The rows, rising, that some few-shot evaluations of one pool draw between them; raises ValueError."""
    return np.unique(np.concatenate([shots(labels, spec.shots, seed) for spec in specs for seed in range(spec.seeds)]))


def fewshot(pool: Pool, test: Images, spec: FewshotSpec) -> float:
    """The mean error on `test` over draws of `shots` images a class from `pool`; both hold features.

    Raises ValueError where a class has too few.
    """
    return float(np.mean([_one_draw(pool, test, spec, seed) for seed in range(spec.seeds)]))


def _one_draw(pool: Pool, test: Images, spec: FewshotSpec, seed: int) -> float:
    train = pool.take(shots(pool.labels, spec.shots, seed))
    answers = regressed(train, test.pixels, int(pool.labels.max()) + 1, spec.l2).argmax(axis=1)
    return float(np.mean(answers != test.labels))


def regressed(train: Images, features: np.ndarray, num_classes: int, l2: float) -> np.ndarray:
    """What linear regression on `train` says of features (count, num_classes): 1 for its class, -1 for others.

    Features are standardised by those trained on, and have a constant one beside them. Raises NotFinite where their
    variance is too large for a number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = train.pixels.mean(axis=0), finite(train.pixels.std(axis=0)) + 1e-5
        train_x, test_x = (_with_bias(finite((rows - mean) / spread)) for rows in (train.pixels, features))
    targets = 2.0 * (train.labels[:, None] == np.arange(num_classes)) - 1.0
    return test_x @ ridge(train_x, targets, l2)


def shots(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The rows of `count` images of each class; those of a smaller count are among them."""
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) < count:
            raise ValueError(f"{count} shots asked for, but class {label} has only {len(rows)} images")
        chosen.append(rows[permutation(seed, Purpose.SHOTS, int(label), len(rows))[:count]])
    return np.concatenate(chosen)


def _with_bias(features: np.ndarray) -> np.ndarray:
    return np.hstack([features, np.full((len(features), 1), BIAS)]).astype(np.float64)


def ridge(x: np.ndarray, y: np.ndarray, l2: float) -> np.ndarray:
    """The weights that minimise |x w - y|^2 + l2 |w|^2, from the eigenvalues of x'x or x x', the smaller one."""
    rows, columns = x.shape
    primal = rows >= columns
    values, vectors = np.linalg.eigh(x.T @ x if primal else x @ x.T)

    def solved(right: np.ndarray) -> np.ndarray:
        return vectors @ ((vectors.T @ right) / (values + l2)[:, None])

    return solved(x.T @ y) if primal else x.T @ solved(y)
