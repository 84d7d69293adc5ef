"""What a job tells while it trains: the only words that cross from a slot to the launcher."""

from dataclasses import dataclass
from typing import Protocol

from scalectl.trainer.failures import FAILURE_KINDS

ROLLING = 2  # of a job's checkpoints the newest ones stay, so that one can be damaged


@dataclass(frozen=True)
class Started:
    """The job is on its slot: where, on what, with which versions, and the step it goes on from."""

    step: int
    host: str
    pid: int
    device: str
    versions: str  # JSON object of package versions


@dataclass(frozen=True)
class Progress:
    """One row of the training curve; `loss` is that of the step's own batch before its update."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    device_seconds: float  # since step 0 of the trunk, compilation and evaluation left out
    images_per_second: float
    flops_per_second: float | None = None  # training FLOPs; checkpoints of older versions tell none
    mfu: float | None = None  # of the devices' published peak, where there is one


@dataclass(frozen=True)
class Alive:
    """The steps up to `step` were sent to the device; nothing else happened. No record keeps it."""

    step: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint is complete on disk, perhaps steps after its own; `digest` is the sha256 of the parameters."""

    step: int
    path: str
    digest: str
    kept: bool  # branch points and ends stay; of all others those among a job's newest ROLLING
    device_seconds: float


@dataclass(frozen=True)
class Skipped:
    """The checkpoint of `step` was damaged and is moved aside; the job goes on from one before it."""

    step: int
    path: str
    reason: str


@dataclass(frozen=True)
class Noticed:
    """Something about the job's images that a person has to know, and that stops nothing."""

    step: int
    text: str


@dataclass(frozen=True)
class Spent:
    """Where the job's time on this slot went, in seconds, up to the checkpoint just reported, or to its end."""

    step: int
    begin: float  # reading what it goes on from, and its images
    compile: float
    train: float
    evaluate: float
    save: float  # in which training stood still
    input: float = 0.0  # in which the device had nothing to do until images were there


@dataclass(frozen=True)
class Measurement:
    """One evaluation of a run's end point; `settings` is the JSON of what the value depends on."""

    metric: str
    step: int
    value: float
    settings: str
    test_images: int | None = None  # that the value was measured on


@dataclass(frozen=True)
class Done:
    """The job reached its last step and said all that it had to say."""

    step: int
    digest: str
    device_seconds: float
    compile_seconds: float
    compilations: int
    mfu: float | None = None  # mean of all steps, by the peak of the devices that the job ended on


@dataclass(frozen=True)
class Stopped:
    """The job was asked to stop and has left a checkpoint at `step`."""

    step: int


@dataclass(frozen=True)
class Failed:
    """The job ended without reaching its last step."""

    kind: str  # a name in `failures.FAILURE_KINDS`
    step: int
    reason: str

    def __post_init__(self) -> None:
        if self.kind not in FAILURE_KINDS:
            raise ValueError(f"no kind of failure is called {self.kind!r}")


class Stop(Protocol):
    """What a job asks whether it has to stop: an event of its process, or whatever stands for several of them."""

    def is_set(self) -> bool:
        """Whether it has to."""


Event = Started | Alive | Progress | Checkpoint | Skipped | Noticed | Spent | Measurement | Done | Stopped | Failed
End = Done | Stopped | Failed
