"""What a run is: the resolved science of one cell of the grid, and the jobs that train it."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, NamedTuple, get_args

from scalectl.trainer import own
from scalectl.trainer.canonical import canonical_json, science
from scalectl.trainer.own_code import Code
from scalectl.trainer.selection import Selection

SEMANTICS = 1  # raised whenever the trainer's numbers change for an unchanged spec

Head = Literal["map", "gap", "tok"]
PreLogits = Literal["none", "tanh"]
Loss = Literal["sigmoid", "softmax"]
Upstream = Literal["loss", "error", "precision@1"]
Optimizer = Literal["adafactor", "adamw"]
Precision = Literal["float32", "bfloat16"]
Layers = Literal["loop", "scan"]
Remat = Literal["none", "full"]
Positions = Literal["learned", "sincos2d"]
Schedule = Literal["rsqrt", "constant", "trapezoidal", "linear", "cosine"]
Orientation = Literal["kept", "turned"]  # of a picture whose EXIF data say how it is put upright
Background = Literal["none", "white", "black", "grey"]  # of transparent pictures; none: transparency is ignored
Levels = Literal["cut", "scaled"]  # grey ones of 16 bits and more
Tuning = Literal["cosine", "flat"]  # what follows the warmup of a fine-tuning


class ScheduleFacts(NamedTuple):
    """What planning has to know of a schedule; its curve is in `trainer.optimizer.DECAYS`."""

    needs_horizon: bool  # it falls to zero at a run's end by itself, so runs of other lengths share no step with it
    has_timescale: bool  # it decays over a number of steps


SCHEDULES: dict[str, ScheduleFacts] = {
    "rsqrt": ScheduleFacts(needs_horizon=False, has_timescale=True),
    "constant": ScheduleFacts(needs_horizon=False, has_timescale=True),
    "trapezoidal": ScheduleFacts(needs_horizon=False, has_timescale=False),
    "linear": ScheduleFacts(needs_horizon=True, has_timescale=False),
    "cosine": ScheduleFacts(needs_horizon=True, has_timescale=False),
}


def facts_of(schedule: str) -> ScheduleFacts:
    """What planning has to know of a schedule, or of NAME@HASH of one's own; raises own.Missing."""
    if schedule in SCHEDULES:
        return SCHEDULES[schedule]
    facts: ScheduleFacts = own.thing("schedule", schedule)[0]
    return facts


MAX_PIXELS = 100_000_000  # of one picture, about 300 MB of colours; a study may say another number

LATER = {"later": True}  # marks a setting that specs had no word for at first: at its default it is in no identity
SWEPT = {"swept": True}  # marks a setting that a study may give several values

VIT = "vit"  # the architecture of a model that isn't one's own


@dataclass(frozen=True)
class ModelSpec:
    """Shape of a ViT in the words of Table 2 of arXiv 2106.04560, or of a model of one's own."""

    width: int
    depth: int
    mlp_dim: int
    num_heads: int
    patch_size: int
    architecture: str = field(default=VIT, metadata=LATER)  # NAME@HASH of one's own
    options: str = field(default="", metadata=LATER)  # what else one's own takes, as canonical JSON

    @property
    def is_own(self) -> bool:
        """Whether it is a model of one's own, of which no formula of a ViT holds."""
        return self.architecture != VIT


@dataclass(frozen=True)
class DataSpec:
    """A nested training subset: the first `size` images of the permutation drawn from `subset_seed`."""

    source: str
    size: int
    held_out: int
    subset_seed: int
    shift: int  # random translation of at most this many pixels
    image_size: int
    channels: int
    num_classes: int
    stratified: bool = field(default=False, metadata=LATER)  # subsets have the source's shares of classes
    crop: bool = field(default=False, metadata=LATER)  # a random part of the picture each time it is seen
    flip: bool = field(default=False, metadata=LATER)  # mirrored at random
    resize: int = field(default=0, metadata=LATER)  # smaller side of a held-out picture before it is cut square
    content: str = field(default="", metadata=LATER)  # hash that tells the files from others, wherever they lie
    test_content: str = field(default="", metadata=LATER)  # the same of a test split, of which the held-out images are
    # what was done before to pictures that need something else; planning looks whether there are any
    orientation: Orientation = field(default="kept", metadata=LATER)
    background: Background = field(default="none", metadata=LATER)
    levels: Levels = field(default="cut", metadata=LATER)
    black: float = field(default=0.0, metadata=LATER)  # the values of such grey pictures that become black and white;
    white: float = field(default=0.0, metadata=LATER)  # both 0: as the depth has it that their files declare
    cache: int = field(default=0, metadata=LATER)  # side of the squares that crops are taken of; 0: of the pictures
    path: str = field(default="", compare=False)  # where the files lie now: no part of what a run is
    test_path: str = field(default="", compare=False)
    selection: Selection = field(default=Selection(), compare=False)  # of the files there; `content` says what it gave
    test_selection: Selection = field(default=Selection("test"), compare=False)
    name: str = field(default="", compare=False)  # of the data set, for people
    max_pixels: int = field(default=MAX_PIXELS, compare=False)  # of one picture
    cached: int = field(default=0, compare=False)  # images that are decoded once for all, the largest subset's; 0: none
    # keys that the file leaves out because no picture that planning looked at needs them; one that does is refused
    left_open: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class RecipeSpec:
    """All that one optimizer step depends on besides the model and the images, in the order of the store's columns."""

    batch_size: int = field(metadata=SWEPT)
    precision: Precision
    positions: Positions = field(default="learned", metadata=LATER, kw_only=True)
    # these three change how numbers are rounded, so they are a run's own
    layers: Layers = field(default="loop", metadata=LATER, kw_only=True)
    remat: Remat = field(default="none", metadata=LATER, kw_only=True)
    microbatch: int = field(default=0, metadata=LATER, kw_only=True)  # images of a gradient at a time; 0: all
    head: Head = field(metadata=SWEPT)
    pre_logits: PreLogits = field(default="none", metadata=LATER | SWEPT, kw_only=True)  # what follows the pooling
    head_bias: float
    loss: Loss
    optimizer: Optimizer  # or NAME@HASH of one's own, as are schedule and upstream metrics
    lr: float = field(metadata=SWEPT)
    clip_norm: float = field(metadata=SWEPT)
    weight_decay_head: float = field(metadata=SWEPT)
    weight_decay_body: float = field(metadata=SWEPT)
    schedule: Schedule = field(default="rsqrt", kw_only=True)
    warmup: int = field(metadata=SWEPT)
    timescale: int = field(metadata=SWEPT)  # 0 for schedules that have none

    @property
    def needs_horizon(self) -> bool:
        """Whether the learning rate depends on a run's length from its first step on."""
        return facts_of(self.schedule).needs_horizon


Plain = bool | int | float | str


class SpecField(NamedTuple):
    """What the rest of scalectl derives from a field of a spec: columns, keys, conditions, defaults of older stores."""

    name: str
    type: type[Plain]
    choices: tuple[str, ...]  # of text that has no others
    swept: bool
    before: Plain | None  # what was done before specs had the field; None where they always had it


def spec_fields(spec: type[ModelSpec] | type[DataSpec] | type[RecipeSpec]) -> tuple[SpecField, ...]:
    """The fields of a spec that are part of what a run is, in their order."""
    return tuple(_spec_field(declared) for declared in fields(spec) if declared.compare)


def _spec_field(declared: Field[Any]) -> SpecField:
    choices = get_args(declared.type)
    kind: Any = str if choices else declared.type
    before: Any = None
    if "later" in declared.metadata:
        before = declared.default
    return SpecField(declared.name, kind, choices, "swept" in declared.metadata, before)


@dataclass(frozen=True, slots=True)
class TrunkSpec:
    """Everything that decides the state of training before any cooldown begins."""

    model: ModelSpec
    data: DataSpec
    recipe: RecipeSpec
    seed: int


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One cell of the grid: a trunk followed to `steps - cooldown`, then cooled down to zero at `steps`.

    Where the schedule needs the horizon, all steps are the run's own: `cooldown` is `steps`, and only step 0 is shared.
    """

    trunk: TrunkSpec
    steps: int
    cooldown: int

    @property
    def branch(self) -> int:
        """The step at which the run leaves its trunk."""
        return self.steps - self.cooldown


@dataclass(frozen=True)
class FewshotSpec:
    """Closed-form linear evaluation on frozen features, one dataset at one number of shots."""

    dataset: str
    shots: int
    seeds: int
    l2: float
    data: DataSpec | None = field(default=None, metadata=LATER)  # nothing: the images that the study holds apart

    @property
    def metric(self) -> str:
        """The name of what is measured."""
        return f"fewshot/{self.dataset}/{self.shots}shot/error"


@dataclass(frozen=True)
class FinetuneSpec:
    """Training all weights further on a dataset, images scaled to squares of `resolution` pixels."""

    dataset: str
    steps: int
    batch_size: int
    lrs: tuple[float, ...]  # the best of them on a held-out part of the training images is taken
    warmup: int
    resolution: int
    data: DataSpec | None = field(default=None, metadata=LATER)  # nothing: the images that the study holds apart
    schedule: Tuning = field(default="cosine", metadata=LATER)
    ema: float = field(default=0.0, metadata=LATER)  # decay of the average of weights that is evaluated; 0: none

    @property
    def metric(self) -> str:
        """The name of what is measured."""
        return f"finetune/{self.dataset}/error"


def upstream_metric(name: str) -> str:
    """The name of what is measured on the held-out images: the hash of one's own is no part of it."""
    return f"upstream/{own.plain(name)}"


def _of_code(name: str) -> str:
    """The settings of a metric: of one's own the hash of its code, so that a change of it measures again."""
    digest = own.version(name)
    return canonical_json({"code": digest} if digest else {})


@dataclass(frozen=True)
class EvalSpec:
    """The evaluations of an end point; not part of a run's identity, so they can be added later."""

    upstream: tuple[Upstream, ...] = ("loss", "error")
    fewshot: tuple[FewshotSpec, ...] = ()
    finetune: FinetuneSpec | None = None

    def metrics(self) -> dict[str, str]:
        """Each metric's name with the canonical JSON of the settings that its value depends on."""
        settings_of = {upstream_metric(name): _of_code(name) for name in self.upstream}
        for spec in self.fewshot:
            settings = {name: value for name, value in science(spec).items() if name not in ("dataset", "shots")}
            settings_of[spec.metric] = canonical_json(settings)
        if tuning := self.finetune:
            settings_of[tuning.metric] = canonical_json(science(tuning))
        return settings_of

    def without(self, measured: Mapping[str, str]) -> "EvalSpec":
        """The evaluations left when those are measured whose metrics and settings are given."""
        wanted = {name for name, settings in self.metrics().items() if measured.get(name) != settings}
        upstream = tuple(name for name in self.upstream if upstream_metric(name) in wanted)
        fewshot = tuple(spec for spec in self.fewshot if spec.metric in wanted)
        finetune = self.finetune if self.finetune and self.finetune.metric in wanted else None
        return EvalSpec(upstream, fewshot, finetune)


@dataclass(frozen=True, slots=True)
class Job:
    """What is placed on a slot: steps `start` to `stop` of a trunk, or of a run's cooldown with its evaluation.

    A job with a `run` cools down towards `run.steps`; without one it is a stretch of the trunk.
    Folders are absolute paths, or gs:// ones; `origin` holds the checkpoint at `start` when `folder` has none yet.
    """

    id: str
    name: str
    trunk: TrunkSpec
    run: RunSpec | None
    start: int
    stop: int
    evals: EvalSpec
    folder: str
    origin: str | None
    checkpoint_every: int
    workers: int | None = 0  # processes that read images ahead, and a thread where there are none; None: by the slot
    code: tuple[Code, ...] = ()  # of one's own, which the process of the job loads
    token: str = ""  # of this attempt, which claimed the folder; none where no other attempt can be under way
