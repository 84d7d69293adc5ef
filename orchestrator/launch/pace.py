"""How long the rest of a launch takes, from the time that its jobs have reported so far."""

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Progress, Spent, Started

HALF_SECONDS = 60.0  # after which a measured time counts half
Kind = tuple[str, bool]  # a shape, and whether its job is a cooldown: these evaluate


@dataclass
class _Rate:
    """Seconds for each of something, lately: a laptop's other programs come and go."""

    seconds: float = 0.0
    over: float = 0.0

    def add(self, seconds: float, over: float = 1.0) -> None:
        kept = 0.5 ** (seconds / HALF_SECONDS)  # of what was added before
        self.seconds, self.over = kept * self.seconds + seconds, kept * self.over + over

    @property
    def mean(self) -> float:
        return self.seconds / self.over


class Pace:
    """The speed of each shape, what jobs take beside steps, and what a shape takes to compile; not what workers take to
    start.

    Until this launch has timed them, these are what earlier launches of the store took.
    """

    def __init__(self, plan: Plan, slots: Sequence[Slot]) -> None:
        self._jobs = {job.id: job for job in plan.jobs}
        self._first = {job.shape: job for job in reversed(plan.jobs) if job.flops}
        self._measured = plan.measured
        self._earlier = plan.overheads
        self._types = [slot.type for slot in slots]
        self._steps: defaultdict[str, _Rate] = defaultdict(_Rate)  # shape -> seconds for each FLOP
        self._beside: defaultdict[Kind, _Rate] = defaultdict(_Rate)  # seconds for each job
        self._compile: defaultdict[bool, _Rate] = defaultdict(_Rate)  # seconds for each kind, of a cooldown or not
        self._compiled: set[Kind] = set()
        self._placed: dict[str, float] = {}  # job on a slot -> since when, or since the worker of the slot runs
        self._started: set[str] = set()  # slots whose worker runs
        self._trained: defaultdict[str, float] = defaultdict(float)  # job on a slot -> seconds of its steps
        self._last: dict[str, Progress] = {}  # job -> its last point

    def follow(self, slots: Sequence[Slot]) -> None:
        """Reckon with these slots from now on."""
        self._types = [slot.type for slot in slots]

    def take(self, news: News) -> None:
        """Note what a job reported, and when."""
        job = self._jobs.setdefault(news.job.id, news.job)
        if not news.events:
            self._placed[job.id] = time.monotonic()
            self._trained.pop(job.id, None)
        if news.events and news.slot not in self._started:  # a worker starts once
            self._started.add(news.slot)
            self._placed[job.id] = time.monotonic()
        for event in news.events:
            if isinstance(event, Started):
                self._last.pop(job.id, None)
            if isinstance(event, Progress):
                self._point(job, event)
        spent = next((event for event in reversed(news.events) if isinstance(event, Spent)), None)
        if spent and news.state is JobState.DONE:
            self._end(job, spent)
        if news.ended:
            for kept in (self._placed, self._trained, self._last):
                kept.pop(job.id, None)

    def _point(self, job: PlannedJob, point: Progress) -> None:
        before = self._last.get(job.id, point)
        share = (point.step - before.step) / max(1, job.steps)
        if share * job.flops > 0:  # an evaluation alone tells the curve of its run again
            seconds = point.device_seconds - before.device_seconds
            self._steps[job.shape].add(seconds, share * job.flops)
            self._trained[job.id] += seconds
        self._last[job.id] = point

    def _end(self, job: PlannedJob, spent: Spent) -> None:
        kind, now = (job.shape, job.is_cooldown), time.monotonic()
        seconds = now - self._placed.get(job.id, now) - spent.train - spent.input - spent.compile
        self._beside[kind].add(max(0.0, seconds))
        if kind not in self._compiled:
            self._compiled.add(kind)
            self._compile[job.is_cooldown].add(spent.compile)

    def seconds(self, left: Mapping[str, float]) -> float | None:
        """The seconds that `left` takes: the FLOPs of each job to come.

        None where no speed is known yet. Until a job has ended it is known of none what it takes beside its steps, so
        that a short launch is told too little at first. Jobs share the slots that will do for them; the longest chain
        of jobs may take longer.
        """
        ends: dict[str, float] = {}
        compiled = set(self._compiled)  # or counted
        work: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for job in self._jobs.values():
            own: float | None = 0.0
            if job.id in left:
                own = self._job(job, left[job.id], compiled)
            if own is None:
                return None
            ends[job.id] = own + max((ends.get(need, 0.0) for need in job.needs), default=0.0)
            work[job.fit.types] += own
        shares = [seconds / max(1, self._slots(types)) for types, seconds in work.items()]
        return max([*shares, *ends.values(), 0.0])

    def _slots(self, types: tuple[str, ...]) -> int:
        """The number of slots that will do for jobs of these types, or of any where there are none."""
        return sum(not types or slot_type in types for slot_type in self._types)

    def _job(self, job: PlannedJob, flops: float, compiled: set[Kind]) -> float | None:
        """The seconds that a job still takes on its slot, or will take there, as the first of its kind or not."""
        if not job.flops and not (self._beside or self._earlier):
            return None
        rate: float | None = 0.0
        if job.flops:
            rate = self._rate(job)
        if rate is None:
            return None
        beside, kind = self._overhead(job), (job.shape, job.is_cooldown)
        if kind not in compiled and self._compile:
            compiled.add(kind)
            likely = self._compile.get(job.is_cooldown) or next(iter(self._compile.values()))
            beside += likely.mean
        return flops * rate + max(0.0, beside - self._over(job))

    def _over(self, job: PlannedJob) -> float:
        """The seconds beside steps that a job on a slot has behind it."""
        if job.id not in self._placed:
            return 0.0
        return max(0.0, time.monotonic() - self._placed[job.id] - self._trained[job.id])

    def _rate(self, job: PlannedJob) -> float | None:
        """The seconds for each FLOP of a job: of its shape, now or before, or else of the nearest timed one."""
        if job.shape in self._steps:
            return self._steps[job.shape].mean
        if self._measured:  # by an earlier launch
            return job.seconds / job.flops
        timed = [
            first for shape, first in self._first.items() if shape in self._steps and first.fit.types == job.fit.types
        ]
        if not timed:
            return None
        near = min(timed, key=lambda first: abs(math.log(_step(first) / _step(job))))
        return self._steps[near.shape].mean

    def _overhead(self, job: PlannedJob) -> float:
        """The seconds of a job beside steps: as those of its kind, now or before, else as the nearest that is known."""
        kind = job.shape, job.is_cooldown
        if kind in self._beside:
            return self._beside[kind].mean
        if kind in self._earlier:
            return self._earlier[kind]
        alike = [rate for (_, is_cooldown), rate in self._beside.items() if is_cooldown == job.is_cooldown]
        rates = alike or [*self._beside.values()]
        return sum(rate.seconds for rate in rates) / max(1.0, sum(rate.over for rate in rates))


def _step(job: PlannedJob) -> float:
    """The FLOPs of a step."""
    return job.flops / job.steps
