"""The keys of experiments.yaml: their types, defaults and meaning; docs/experiments.md repeats every line of it."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import product
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from scalectl.orchestrator.experiment.evaluations import Evals
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.hooks import HookText
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.own import CodeFile, OptimizerName, Option, OwnArchitecture, ScheduleName
from scalectl.orchestrator.experiment.places import Folder, Store
from scalectl.orchestrator.experiment.resources import Limits, Resources
from scalectl.orchestrator.experiment.rules import Rule, Section, key
from scalectl.orchestrator.experiment.values import (
    Bias,
    Cooldown,
    Count,
    Name,
    Natural,
    Positive,
    Rate,
    Seed,
    Several,
    Share,
    Steps,
    Strength,
    Version,
)
from scalectl.trainer.spec import (
    Head,
    Layers,
    Loss,
    Positions,
    Precision,
    PreLogits,
    Remat,
)


class Model(Section):
    """The shape of a ViT: a preset of the paper's Table 2, or width, depth and num_heads."""

    preset: Literal["s", "Ti", "S", "B", "L", "g", "G"] | None = key("Shape of the paper's Table 2.", None)
    width: Count | None = key("Size of a token's embedding.", None)
    depth: Count | None = key("Number of encoder blocks.", None)
    mlp_dim: Count | None = key("Hidden size of a block's MLP; 4 x width when left out.", None)
    num_heads: Count | None = key("Attention heads of a block; divides width.", None)
    patch_size: Count = key("Side of a square patch in pixels.")
    architecture: OwnArchitecture | None = key("A model of your own, which code adds; a ViT when left out.", None)
    options: dict[Name, Option] | None = key("What else that model takes: numbers, words, true or false.", None)


class WeightDecay(Section):
    """Decoupled weight decay; each value is multiplied by the learning rate."""

    head: Strength = key("Weight decay of the classification head.", 3.0)
    body: Strength = key("Weight decay of all other kernels.", 0.03)


class Optimizer(Section):
    """How gradients become updates."""

    name: OptimizerName = key("The paper's modified Adafactor, AdamW, or one that code adds.")
    lr: Rate = key("Peak learning rate, reached at the end of warmup.")
    clip_norm: Rate = key("Largest global norm of the gradient.", 1.0)
    weight_decay: WeightDecay = key("Weight decay of head and body.", WeightDecay())


class Schedule(Section):
    """The learning rate over the steps."""

    name: ScheduleName = key(
        "What follows warmup, one that code adds included; the first three share trunks between runs of all lengths.",
        "rsqrt",
    )
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


class Document(Section):
    """A whole experiments.yaml."""

    version: Version = key("Version of this format.")
    extends: Folder | None = key("Another file, whose keys hold where this one has none.", None)
    name: Name = key("Name of the study.")
    store: Store = key("SQLite file of all results, from the folder of this file.", "results.db")
    code: Several[CodeFile] | None = key("Python files of your own, whose names this file may then say.", None)
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
