"""A plan as a value: its runs, its jobs, and what they cost."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.resources import Limits
from scalectl.orchestrator.format import flops, hours
from scalectl.orchestrator.plan.placement import ANYWHERE, Fit
from scalectl.orchestrator.vocabulary import AUTO, JobKind, RunState
from scalectl.trainer.spec import EvalSpec, Job, RunSpec, TrunkSpec


@dataclass(frozen=True)
class Known:
    """What the record already holds about the runs of a plan; empty for a store that doesn't exist."""

    states: Mapping[str, RunState] = field(default_factory=dict)  # by run id
    metrics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # run id -> metric -> settings
    checkpoints: Mapping[str, Mapping[int, str]] = field(default_factory=dict)  # trunk or run id -> step -> path
    speeds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # shape -> slot type -> training FLOP/s
    listed: Mapping[str, Collection[str]] = field(default_factory=dict)  # study -> ids of its runs
    failures: Mapping[str, str] = field(default_factory=dict)  # run id -> the kind of its failure
    overheads: Mapping[tuple[str, bool], float] = field(default_factory=dict)  # seconds by shape, and ends a run or not
    reached: Mapping[str, int] = field(default_factory=dict)  # id of an unfinished job -> step that it goes on from

    def speed(self, shape: str, fit: Fit) -> float | None:
        """The measured FLOP/s of a slot of the first type that fits, or None; where any will do, of the last."""
        speeds = self.speeds.get(shape, {})
        if fit.types:
            return speeds.get(fit.types[0])
        return next(reversed([*speeds.values()]), None)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A cell of the grid with its identity, its cost, and why it will run or will not."""

    id: str
    name: str
    model: str
    trunk: str
    spec: RunSpec
    params: int
    flops_per_image: int  # forward pass
    flops: int  # of all its steps, trunk and cooldown, as if it ran alone
    marginal_flops: int  # what it adds to the next smaller budget of its trunk
    state: RunState
    reason: str
    missing: bool
    trunk_name: str
    fit: Fit
    workers: int | None
    failure: str = ""  # its kind, of a run that failed


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job, the jobs that must end before it, and the runs that can't end without it.

    The job's `origin` is filled in when it is placed: only then is the checkpoint that it begins from sure to exist.
    """

    job: Job
    kind: JobKind
    run_name: str  # of the run that it ends, or of the trunk that it lengthens
    trunk: str
    owner: str  # id of the trunk that it lengthens or of the run that it ends
    needs: tuple[str, ...]
    runs: tuple[str, ...]
    first_step: int  # that it goes on from: its start, or its newest checkpoint
    flops: int  # of the steps to come
    seconds: float  # of these, on a slot of the first type that fits
    shape: str
    fit: Fit = ANYWHERE

    @property
    def id(self) -> str:
        """The job's id, the same on every launch that needs the same job."""
        return self.job.id

    @property
    def steps(self) -> int:
        """The steps to come."""
        return self.job.stop - self.first_step

    @property
    def is_cooldown(self) -> bool:
        """Tell whether the job ends a run."""
        return self.kind is not JobKind.TRUNK

    @property
    def is_assumed(self) -> bool:
        """Tell whether its time rests on the speed that its slots are taken to have, and on none that was measured."""
        return bool(self.flops) and self.seconds == self.flops / self.fit.flops_per_second

    @property
    def device_hours(self) -> float:
        """The hours of its slot's devices that it takes."""
        return self.seconds * self.fit.devices / 3600


@dataclass(frozen=True)
class Plan:
    """The whole study, with the jobs in an order in which each comes after those it needs."""

    study: str
    runs: tuple[PlannedRun, ...]
    jobs: tuple[PlannedJob, ...]
    evals: EvalSpec
    measured: bool  # the estimate of time rests on speeds in the store, not on an assumption
    skipped: int = 0  # runs that the rules of the grid leave out
    unlisted: int = 0  # runs that the study has of other files, or of this one as it was
    overheads: Mapping[tuple[str, bool], float] = field(default_factory=dict)  # beside steps, of earlier launches

    @property
    def trunks(self) -> dict[str, TrunkSpec]:
        """The trunks by id."""
        return {run.trunk: run.spec.trunk for run in self.runs}

    @property
    def shared(self) -> int:
        """The number of trunks that have steps, which runs may share."""
        return len({run.trunk for run in self.runs if run.spec.branch})

    @property
    def missing(self) -> tuple[PlannedRun, ...]:
        """The runs that still have to end."""
        return tuple(run for run in self.runs if run.missing)

    @property
    def flops_alone(self) -> int:
        """The training FLOPs of the jobs if each run went through the steps that it needs of them by itself."""
        return sum(job.flops * len(job.runs) for job in self.jobs)

    @property
    def flops(self) -> int:
        """The training FLOPs of the jobs."""
        return sum(job.flops for job in self.jobs)

    @property
    def device_hours(self) -> float:
        """The hours on devices that the jobs take."""
        return sum(job.device_hours for job in self.jobs)

    @property
    def price(self) -> float | None:
        """The price of the jobs, or None where that of a device is not given."""
        prices = [job.fit.price_per_device_hour for job in self.jobs]
        if None in prices or not prices:
            return None
        return sum(job.device_hours * (job.fit.price_per_device_hour or 0.0) for job in self.jobs)


def wanted(jobs: Iterable[PlannedJob], named: Collection[str] = ()) -> dict[str, float]:
    """The types of slots that jobs ask for, with the devices of each; jobs that take any slot take the `named` types.

    Raises Refusal where two places ask for slots of one type with different numbers of devices.
    """
    devices: defaultdict[str, set[float]] = defaultdict(set)
    for fit in {job.fit for job in jobs}:
        for slot_type in fit.types or named or (AUTO,):
            devices[slot_type].add(fit.devices_on(slot_type))
    for slot_type, numbers in devices.items():
        if len(numbers) > 1:
            listed = " and ".join(f"{number:g}" for number in sorted(numbers))
            raise Refusal(f"refused: slots of type {slot_type} are asked for with {listed} devices: give one number.")
    return {slot_type: numbers.pop() for slot_type, numbers in devices.items()}


ASK_DEVICE_HOURS = 24.0  # an estimate above this is asked about before anything starts


@dataclass(frozen=True)
class Caps:
    """The most that a launch may spend; `hours_key` is what the cap on device-hours was typed as."""

    max_flops: float = math.inf
    max_device_hours: float = math.inf
    hours_key: str = "limits.max_device_hours"

    @classmethod
    def from_limits(cls, limits: Limits, max_device_hours: float | None = None) -> "Caps":
        """The caps of a file, with the device-hours of the command line in place of its own."""
        if max_device_hours is not None:
            return cls(limits.max_flops or math.inf, max_device_hours, "--max-device-hours")
        return cls(limits.max_flops or math.inf, limits.max_device_hours or math.inf)

    def admit(self, plan: Plan) -> None:
        """Raise a Refusal that names the cap which a plan exceeds."""
        for key, cap, needed, unit, shown in (
            ("limits.max_flops", self.max_flops, plan.flops, "FLOPs", flops),
            (self.hours_key, self.max_device_hours, plan.device_hours, "device-hours", hours),
        ):
            if needed > cap:
                raise Refusal(
                    f"refused: the plan needs {shown(needed)} {unit} and {key} is {shown(cap)}."
                    f" Raise {key}, or take sizes or budgets out of the grid."
                )
