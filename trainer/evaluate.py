"""What a trained model is worth: upstream loss and error, linear regression from few shots, fine-tuning."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from trainer.data import split
from trainer.draws import Purpose, permutation
from trainer.finetune import finetune
from trainer.spec import DataSpec, EvalSpec, FewshotSpec
from trainer.step import Programs, Readings
from trainer.subset import Images

BIAS = 100.0  # a constant feature so large that the penalty hardly touches its weight


def evaluations(programs: Programs, params: Any, data: DataSpec, evals: EvalSpec) -> Iterator[tuple[str, float]]:
    """Yield each metric of `evals` with its value, in the order of `EvalSpec.metrics`; losses are in nats."""
    images = split(data)
    read = programs.read(params, images.held_out.pixels, images.held_out.labels)
    for name in evals.upstream:
        yield f"upstream/{name}", upstream(read, name)
    if evals.fewshot:
        features = programs.read(params, images.pool.pixels, images.pool.labels).features
        train, test = Images(features, images.pool.labels[:]), Images(read.features, images.held_out.labels[:])
        for spec in evals.fewshot:
            yield f"fewshot/{spec.dataset}/{spec.shots}shot/error", fewshot(train, test, spec)
    if tuning := evals.finetune:
        pool, test = (Images(part.pixels[:], part.labels[:]) for part in (images.pool, images.held_out))
        error = finetune(programs.shape.model, params, pool, test, tuning)
        yield f"finetune/{tuning.dataset}/error", error


def upstream(read: Readings, name: str) -> float:
    """Return the mean loss of the images that were read, or the share of wrong or right first answers among them."""
    each = {"loss": read.loss, "error": read.wrong, "precision@1": ~read.wrong}
    return float(np.mean(each[name], dtype=np.float64))


def fewshot(pool: Images, test: Images, spec: FewshotSpec) -> float:
    """Return the mean error on `test` over draws of `shots` images a class from `pool`; both hold features.

    Raises ValueError where a class has too few.
    """
    return float(np.mean([_one_draw(pool, test, spec, seed) for seed in range(spec.seeds)]))


def _one_draw(pool: Images, test: Images, spec: FewshotSpec, seed: int) -> float:
    train = pool.take(shots(pool.labels, spec.shots, seed))
    mean, spread = train.pixels.mean(axis=0), train.pixels.std(axis=0) + 1e-5
    train_x, test_x = (_with_bias((one.pixels - mean) / spread) for one in (train, test))
    targets = 2.0 * (train.labels[:, None] == np.arange(pool.labels.max() + 1)) - 1.0
    answers = (test_x @ ridge(train_x, targets, spec.l2)).argmax(axis=1)
    return float(np.mean(answers != test.labels))


def shots(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the rows of `count` images of each class; those of a smaller count are among them."""
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
    """Return the weights that minimise |x w - y|^2 + l2 |w|^2, from the eigenvalues of x'x or x x', the smaller one."""
    rows, columns = x.shape
    primal = rows >= columns
    values, vectors = np.linalg.eigh(x.T @ x if primal else x @ x.T)

    def solved(right: np.ndarray) -> np.ndarray:
        return vectors @ ((vectors.T @ right) / (values + l2)[:, None])

    return solved(x.T @ y) if primal else x.T @ solved(y)
