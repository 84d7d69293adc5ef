"""Models, classes and batches that no machine can hold, found before anything is made of them."""

from collections.abc import Iterator
from contextlib import suppress

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment.evaluations import Evals
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.schema import Grid, Model, Train
from scalectl.orchestrator.experiment.specs import as_data, known, shape
from scalectl.trainer.flops import params

MAX_NUMBERS = 2**46  # of a model or of a batch: 280 TB as float32, more than the memory of any cluster
MAX_CLASSES = 2**31 - 1  # a label is a 32-bit whole number
MAX_SIDE = 2**16 - 1  # pixels, as the formats of pictures have them


def models_can_be_held(models: dict[str, Model], data: Data, train: Train) -> Iterator[Finding]:
    """Yield the models of too many parameters."""
    facts = known(data)
    if facts.num_classes > MAX_CLASSES or facts.image_size > MAX_SIDE:
        return  # which alone is why
    counts = {"image_size": facts.image_size, "channels": facts.channels, "num_classes": facts.num_classes}
    for name, model in models.items():
        if not model.preset and None in (model.width, model.depth, model.architecture or model.num_heads):
            continue
        with suppress(ValueError):  # a model of one's own that can't be built: `own_models_build` says why
            yield from _too_large(name, model, train, counts)


def _too_large(name: str, model: Model, train: Train, counts: dict[str, int]) -> Iterator[Finding]:
    number = params(shape(model), head=train.head, positions=train.positions, pre_logits=train.pre_logits, **counts)
    if number > MAX_NUMBERS:
        yield Finding(_largest(name, model), f"{number:.3g} parameters: no cluster holds them", "lower it")


def _largest(name: str, model: Model) -> KeyPath:
    """The path of the largest size of a model."""
    sizes = {key: getattr(model, key) or 0 for key in ("width", "depth", "mlp_dim", "num_heads")}
    if model.preset:
        return ("models", name)
    return ("models", name, max(sizes, key=lambda key: sizes[key]))


def images_can_be_held(data: Data, evals: Evals) -> Iterator[Finding]:
    """Yield the classes that no label can name, and the sides that no picture has."""
    yield from _of_images(data, ("data",))
    side = known(data).image_size
    for name, dataset in evals.datasets.items():
        yield from _of_images(as_data(dataset, side), ("evals", "datasets", name))
    if evals.finetune and (evals.finetune.resolution or 0) > MAX_SIDE:
        message = f"{evals.finetune.resolution:,} pixels are more than {MAX_SIDE:,}"
        yield Finding(("evals", "finetune", "resolution"), message, "lower it")


def _of_images(data: Data, path: KeyPath) -> Iterator[Finding]:
    classes = known(data).num_classes
    if classes > MAX_CLASSES:
        key = "num_classes"
        if data.num_classes is None:
            key = "source"
        yield Finding((*path, key), f"{classes:,} classes: labels go up to {MAX_CLASSES - 1:,}", "number them from 0")
    for key in ("image_size", "resize", "cache"):
        side = getattr(data, key)
        if side is not None and side > MAX_SIDE and not (key == "image_size" and len(path) > 1):
            yield Finding((*path, key), f"{side:,} pixels are more than {MAX_SIDE:,}", "lower it")


def batches_can_be_held(data: Data, train: Train, grid: Grid, evals: Evals) -> Iterator[Finding]:
    """Yield the batches whose images are too many numbers."""
    facts = known(data)
    side, tuning = min(facts.image_size, MAX_SIDE), evals.finetune
    batches: list[tuple[KeyPath, int, int]] = [(("train", "batch_size"), train.batch_size, side)]
    for i, size in enumerate(grid.sweep.batch_size or ()):
        batches.append((("grid", "sweep", "batch_size", i), size, side))
    if tuning:
        resolution = min(tuning.resolution or side, MAX_SIDE)
        batches.append((("evals", "finetune", "batch_size"), tuning.batch_size, resolution))
    for path, size, pixels in batches:
        if size * pixels**2 * facts.channels > MAX_NUMBERS:
            message = f"{size:,} images of {pixels} x {pixels} pixels at once: no cluster holds them"
            yield Finding(path, message, "lower it")


SIZES = (images_can_be_held, models_can_be_held, batches_can_be_held)
