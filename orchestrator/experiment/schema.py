"""The keys of experiments.yaml: their types, defaults and meaning; docs/experiments.md repeats every line of it."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import product
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.hooks import HookText
from scalectl.orchestrator.experiment.resources import Limits, Resources
from scalectl.orchestrator.experiment.rules import Rule, Section, key
from scalectl.orchestrator.experiment.values import (
    Bias,
    Cooldown,
    Count,
    Decay,
    Files,
    Flag,
    Folder,
    Images,
    Name,
    Natural,
    Positive,
    Range,
    Rate,
    Seed,
    Several,
    Share,
    Steps,
    Store,
    Strength,
    Version,
)
from scalectl.trainer.spec import (
    MAX_PIXELS,
    Background,
    Head,
    Layers,
    Loss,
    Orientation,
    Positions,
    Precision,
    PreLogits,
    Remat,
    Tuning,
)
from scalectl.trainer.spec import Schedule as ScheduleName
from scalectl.trainer.spec import Upstream as UpstreamMetric


class Model(Section):
    """The shape of a ViT: a preset of the paper's Table 2, or width, depth and num_heads."""

    preset: Literal["s", "Ti", "S", "B", "L", "g", "G"] | None = key("Shape of the paper's Table 2.", None)
    width: Count | None = key("Size of a token's embedding.", None)
    depth: Count | None = key("Number of encoder blocks.", None)
    mlp_dim: Count | None = key("Hidden size of a block's MLP; 4 x width when left out.", None)
    num_heads: Count | None = key("Attention heads of a block; divides width.", None)
    patch_size: Count = key("Side of a square patch in pixels.")


# how pictures of files are decoded: of a study, and of the datasets of its evaluations
_ORIENTATION = key(
    "Whether pictures are turned as their EXIF data say (turned) or not (kept); turned when left out.", None
)
_BACKGROUND = key("The colour behind transparent pictures, or none to ignore transparency; white when left out.", None)
_RANGE = key(
    "Values of grey pictures of 16 bits or more that become black and white; what their files declare when left out.",
    None,
)
_MAX_PIXELS = key("Most pixels of one picture; a larger one is refused.", MAX_PIXELS)


class Augment(Section):
    """Changes made to a training image each time it is seen."""

    crop: Flag = key(
        "A random part of the picture, 5 to 100 % of its area and 3:4 to 4:3 in aspect, resized to image_size.", False
    )
    flip: Flag = key("Mirrored left to right with a chance of one in two.", False)
    shift: Natural = key("Random translation by at most this many pixels.", 0)


class Columns(Section):
    """The columns of a table, the features of a record or the endings of a sample that are read."""

    image: Name | None = key("Column of the pictures; found by itself when left out.", None)
    label: Name | None = key("Column of the labels; found by itself when left out.", None)


class Data(Section):
    """The training images and their nested subsets."""

    source: Images = key("Where images come from.")
    name: Name | None = key("Name in metrics, tables and figures; that of the folder or file when left out.", None)
    columns: Columns = key("Columns of pictures and labels.", Columns())
    test: Files | None = key(
        "Files of a test split, of which held-out images are taken instead of from the source; for tfds its name.", None
    )
    test_labels: Files | None = key("List of the labels of data.test, where its pictures lie in one flat folder.", None)
    sizes: Several[Count] = key("Numbers of distinct training images; each subset lies inside the next larger one.")
    held_out: Count | None = key(
        "Images never trained on, for evaluation; when left out a fifth of the source, 1,000 of synthetic ones, or all"
        " of data.test.",
        None,
    )
    subset_seed: Natural = key("Seed of the permutation that subsets and held-out images are drawn from.", 0)
    stratified: Flag = key("Whether held-out images and subsets keep the source's share of each class.", False)
    image_size: Count | None = key(
        "Side in pixels of an image as models see it; 32 for synthetic ones when left out.", None
    )
    num_classes: Count | None = key(
        "Classes; when left out 10 for synthetic images, and what their files tell of others.", None
    )
    resize: Count | None = key(
        "Side in pixels to which the smaller side of a picture is resized before its central square of image_size is"
        " cut out; image_size when left out.",
        None,
    )
    orientation: Orientation | None = _ORIENTATION
    background: Background | None = _BACKGROUND
    range: Range | None = _RANGE
    max_pixels: Count = _MAX_PIXELS
    cache: Count | None = key(
        "Side in pixels of training images that are decoded once and kept on each machine; at least image_size where"
        " augment.crop takes parts of them, and else image_size. None are kept when left out.",
        None,
    )
    augment: Augment = key("Augmentation of training images.", Augment())


class WeightDecay(Section):
    """Decoupled weight decay; each value is multiplied by the learning rate."""

    head: Strength = key("Weight decay of the classification head.", 3.0)
    body: Strength = key("Weight decay of all other kernels.", 0.03)


class Optimizer(Section):
    """How gradients become updates."""

    name: Literal["adafactor", "adamw"] = key("The paper's modified Adafactor, or AdamW.")
    lr: Rate = key("Peak learning rate, reached at the end of warmup.")
    clip_norm: Rate = key("Largest global norm of the gradient.", 1.0)
    weight_decay: WeightDecay = key("Weight decay of head and body.", WeightDecay())


class Schedule(Section):
    """The learning rate over the steps."""

    name: ScheduleName = key("What follows warmup; the first three share trunks between runs of all lengths.", "rsqrt")
    warmup: Natural = key("Steps of linear warmup.")
    timescale: Steps | None = key("Steps over which rsqrt and constant decay, which need it.", None)
    cooldown: Cooldown = key(
        "Linear decay to zero at the end of each run: steps, or a percentage of its steps.", Share(percent=Decimal(20))
    )


class Train(Section):
    """The recipe, the same for every cell of the grid."""

    batch_size: Count = key("Images of one step, over all devices.")
    precision: Precision = key("Type of the matrix products; parameters stay float32.", "float32")
    positions: Positions = key("Position embeddings: learned, or fixed sines and cosines of x and y.", "learned")
    head: Head = key("Pooling before the classifier: attention (map), average (gap) or class token (tok).", "map")
    pre_logits: PreLogits = key("Layer between pooling and classifier: none, or a dense one with a tanh.", "none")
    head_bias: Bias | None = key(
        "First bias of the classifier; -log(num_classes) for sigmoid and 0 for softmax when left out.", None
    )
    loss: Loss = key("Cross-entropy of independent classes (sigmoid) or of one distribution (softmax).", "sigmoid")
    optimizer: Optimizer = key("How gradients become updates.")
    schedule: Schedule = key("The learning rate over the steps.")
    layers: Layers = key(
        "Encoder blocks unrolled in the compiled step (loop), or one that is compiled once (scan).", "loop"
    )
    remat: Remat = key("Keep what blocks computed for the backward pass (none), or compute it again (full).", "none")
    microbatch: Count | None = key("Images whose gradient is computed at a time; all of a batch when left out.", None)
    checkpoint_every: Count = key("Steps between checkpoints that a stopped run goes on from.", 1000)


class Point(Section):
    """One end of the trunk, with a cooldown of its own."""

    steps: Count = key("Steps of the run, cooldown included.")
    cooldown: Cooldown = key("Steps of its cooldown, or a percentage of its steps.")


class Budgets(Section):
    """How long runs train, in exactly one of these units."""

    steps: Several[Count] | None = key("Optimizer steps.", None)
    images: Several[Count] | None = key("Images seen, repeats counted.", None)
    flops: Several[Positive] | None = key("Training FLOPs: 3 x forward, 2 for a multiply-add.", None)
    points: Several[Point] | None = key("Steps, each with a cooldown of its own.", None)
    device_hours: Several[Positive] | None = key("Hours of one device that trains at flops_per_second.", None)
    flops_per_second: Positive | None = key("Training FLOPs a second of one device, for device_hours.", None)

    def kinds(self) -> list[str]:
        """The units that budgets are given in; a checked experiment has one."""
        units = ("steps", "images", "flops", "device_hours", "points")
        return [kind for kind in units if getattr(self, kind) is not None]


class Sweep(Section):
    """Settings of the recipe that take several values; each combination is a run of its own."""

    batch_size: Several[Count] | None = key("Images of one step.", None)
    head: Several[Head] | None = key("Poolings before the classifier.", None)
    pre_logits: Several[PreLogits] | None = key("Layers between pooling and classifier.", None)
    lr: Several[Rate] | None = key("Peak learning rates.", None)
    clip_norm: Several[Rate] | None = key("Largest global norms of the gradient.", None)
    weight_decay_head: Several[Strength] | None = key("Weight decays of the classification head.", None)
    weight_decay_body: Several[Strength] | None = key("Weight decays of all other kernels.", None)
    warmup: Several[Natural] | None = key("Steps of linear warmup.", None)
    timescale: Several[Steps] | None = key("Steps over which rsqrt and constant decay.", None)

    def variants(self) -> Iterator[tuple[tuple[str, Any], ...]]:
        """Yield each combination as pairs of setting and value; one without pairs where nothing is swept."""
        swept = {name: sorted(values) for name, values in self if values is not None}
        for combination in product(*swept.values()):
            yield tuple(zip(swept, combination, strict=True))


class Extra(Section):
    """One run beside the grid, with the recipe as `train` gives it."""

    model: Name = key("Name of a model.")
    data_size: Count = key("Number of distinct training images.")
    steps: Count = key("Steps of the run, cooldown included.")
    cooldown: Cooldown | None = key("Steps of its cooldown; what train.schedule says when left out.", None)
    seed: Seed = key("Seed of initialisation and data order.", 0)


class Grid(Section):
    """Which cells of models x sizes x budgets x seeds x swept settings are run."""

    seeds: Several[Seed] = key("Seeds of initialisation and data order; each is a run of its own.", (0,))
    sweep: Sweep = key("Settings of the recipe that take several values, in place of what train says.", Sweep())
    only: tuple[Rule, ...] = key("Cells to keep: those that satisfy any of these rules; all when left out.", ())
    skip: tuple[Rule, ...] = key("Cells to leave out: those that satisfy any of these rules.", ())
    extra: tuple[Extra, ...] = key("Runs beside the grid; no rule leaves them out.", ())


class Upstream(Section):
    """Evaluation on the held-out images."""

    metrics: Several[UpstreamMetric] = key("What is measured on the held-out images.", ("loss", "error"))


class Dataset(Section):
    """Images to evaluate on, beside those of the study."""

    source: Images = key("Where images come from, as for data.source.")
    columns: Columns = key("Columns of pictures and labels.", Columns())
    test: Files | None = key(
        "Files of a test split that the error is measured on; held-out images of the source when left out.", None
    )
    test_labels: Files | None = key("List of the labels of the test split, where it is one flat folder.", None)
    held_out: Count | None = key(
        "Images that the error is measured on; when left out a fifth of the source, 1,000 of synthetic ones, or all of"
        " the test split.",
        None,
    )
    subset_seed: Natural = key("Seed of the permutation that held-out images are drawn from.", 0)
    num_classes: Count | None = key(
        "Classes; when left out 10 for synthetic images, and what their files tell of others.", None
    )
    resize: Count | None = key(
        "Side in pixels to which the smaller side of a picture is resized before its central square of"
        " data.image_size is cut out; data.image_size when left out.",
        None,
    )
    orientation: Orientation | None = _ORIENTATION
    background: Background | None = _BACKGROUND
    range: Range | None = _RANGE
    max_pixels: Count = _MAX_PIXELS


class Fewshot(Section):
    """Closed-form linear regression on frozen features."""

    datasets: Several[Name] = key("Datasets to take few images of: names of evals.datasets, or the study's own.")
    shots: Several[Count] = key("Training images a class.")
    seeds: Count = key("Draws of those images; the error is their mean.", 3)
    l2: Positive = key("Strength of the L2 penalty.", 1024.0)


class Finetune(Section):
    """Training all weights further on a dataset, as the paper does."""

    dataset: Name = key("Dataset to fine-tune on, and to measure the error on: of evals.datasets, or the study's own.")
    steps: Steps = key("Optimizer steps at each learning rate.")
    batch_size: Count = key("Images of one step.", 512)
    lrs: Several[Rate] = key("Peak learning rates; the best on 2 % of the training images is used.", (0.03, 0.01))
    warmup: Natural | None = key("Steps of linear warmup; a fortieth of all when left out.", None)
    schedule: Tuning = key("What follows warmup: half a cosine to zero, or nothing (flat).", "cosine")
    ema: Decay | None = key(
        "Decay of the running average of the weights that is evaluated; the last weights are when left out.", None
    )
    resolution: Count | None = key("Side of an image in pixels; that of the study's images when left out.", None)


class Evals(Section):
    """What is measured at the end of each run; later additions train nothing again."""

    upstream: Upstream = key("Evaluation on the held-out images.", Upstream())
    datasets: dict[Name, Dataset] = key("Images to evaluate on beside the study's own, by name.", {})
    fewshot: Fewshot | None = key("Linear evaluation from few images; none when left out.", None)
    finetune: Finetune | None = key("Training all weights further; none when left out.", None)


class Document(Section):
    """A whole experiments.yaml."""

    version: Version = key("Version of this format.")
    extends: Folder | None = key("Another file, whose keys hold where this one has none.", None)
    name: Name = key("Name of the study.")
    store: Store = key("SQLite file of all results, from the folder of this file.", "results.db")
    artifacts: Folder = key("Folder of checkpoints, from the folder of this file, or gs://bucket/folder.", "artifacts")
    models: dict[Name, Model] = key("Models by name.")
    data: Data = key("The training images and their nested subsets.")
    train: Train = key("The recipe, the same for every cell of the grid.")
    budgets: Budgets = key("How long runs train: in exactly one unit.")
    grid: Grid = key("Which runs are made of models, sizes and budgets.", Grid())
    evals: Evals = key("What is measured at the end of each run.", Evals())
    resources: Resources = key("Where jobs run.", Resources())
    limits: Limits = key("Bounds on what a launch may spend.", Limits())
    fits: dict[Name, Fit] = key("Laws to fit, by name.", {})
    notify: HookText | None = key("Command or URL that is called when a launch ends, fails or pauses.", None)


@cache
def keys() -> dict[str, FieldInfo]:
    """Every key by its path; NAME stands for a name that the user gives and [] for the items of a list."""
    return dict(_keys(Document, ""))


def _keys(section: type[Section], above: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in section.model_fields.items():
        yield above + name, info
        for inner, step in _sections(info.annotation, ""):
            yield from _keys(inner, f"{above}{name}{step}.")


_ITEMS: dict[Any, str] = {dict: ".NAME", tuple: "[]"}


def _sections(annotation: Any, step: str) -> Iterator[tuple[type[Section], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, step
    items = _ITEMS.get(get_origin(annotation), "")
    for part in get_args(annotation):
        yield from _sections(part, step + items)


def schema_json() -> dict[str, Any]:
    """The JSON Schema of experiments.yaml, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
