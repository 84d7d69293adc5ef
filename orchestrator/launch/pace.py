"""How long the rest of a launch takes, from what its jobs have told of their time so far."""

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from scalectl.orchestrator.launch.loop import News
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.trainer.events import Progress, Spent, Started

Kind = tuple[str, bool]  # a shape, and whether its job is a cooldown: these evaluate


@dataclass
class _Rate:
    """Seconds for each of something."""

    seconds: float = 0.0
    over: float = 0.0

    def add(self, seconds: float, over: float = 1.0) -> None:
        self.seconds, self.over = self.seconds + seconds, self.over + over

    @property
    def each(self) -> float:
        return self.seconds / self.over


class Pace:
    """The speed of each shape, and what jobs take beside steps, without what the first of a kind compiles."""

    def __init__(self, plan: Plan) -> None:
        self._jobs = {job.id: job for job in plan.jobs}
        self._first = {job.shape: job for job in reversed(plan.jobs) if job.flops}
        self._measured = plan.measured
        self._steps: defaultdict[str, _Rate] = defaultdict(_Rate)  # shape -> seconds for each FLOP
        self._beside: defaultdict[Kind, _Rate] = defaultdict(_Rate)  # seconds for each job
        self._slots: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)  # types that will do -> those that did
        self._placed: dict[str, float] = {}  # job -> when it was placed
        self._last: dict[str, Progress] = {}  # job -> its last point

    def take(self, news: News) -> None:
        """Note what a job told, and when."""
        job = self._jobs.setdefault(news.job.id, news.job)
        if not news.events:
            self._placed[job.id] = time.monotonic()
            self._slots[job.fit.types].add(news.slot)
        for event in news.events:
            if isinstance(event, Started):
                self._last.pop(job.id, None)
            if isinstance(event, Progress):
                self._point(job, event)
        spent = next((event for event in reversed(news.events) if isinstance(event, Spent)), None)
        if spent and news.state == "done":
            self._end(job, spent)

    def _point(self, job: PlannedJob, point: Progress) -> None:
        before = self._last.get(job.id, point)
        share = (point.step - before.step) / max(1, job.job.stop - job.job.start)
        if share * job.flops > 0:  # an evaluation alone tells the curve of its run again
            self._steps[job.shape].add(point.device_seconds - before.device_seconds, share * job.flops)
        self._last[job.id] = point

    def _end(self, job: PlannedJob, spent: Spent) -> None:
        kind, now = (job.shape, job.is_cooldown), time.monotonic()
        compiled = spent.compile if kind not in self._beside else 0.0
        self._beside[kind].add(max(0.0, now - self._placed.get(job.id, now) - spent.train - compiled))

    def seconds(self, left: Mapping[str, float]) -> float | None:
        """Return the seconds that `left` takes: the FLOPs of each job to come; None where no speed is known yet.

        Jobs that the same types of slots will do for share the slots that took some of them; the longest chain of jobs
        may take longer.
        """
        ends: dict[str, float] = {}
        work: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for job in self._jobs.values():
            own = self._job(job, left[job.id]) if job.id in left else 0.0
            if own is None:
                return None
            ends[job.id] = own + max((ends.get(need, 0.0) for need in job.needs), default=0.0)
            work[job.fit.types] += own
        shares = [seconds / max(1, len(self._slots[types])) for types, seconds in work.items()]
        return max([*shares, *ends.values(), 0.0])

    def _job(self, job: PlannedJob, flops: float) -> float | None:
        if not job.flops:
            return self._rest(job) if self._beside else None
        rate = self._rate(job)
        return None if rate is None else flops * rate + self._rest(job)

    def _rate(self, job: PlannedJob) -> float | None:
        """Return the seconds for each FLOP of a job: of its shape, now or before, or else of the nearest timed one."""
        if job.shape in self._steps:
            return self._steps[job.shape].each
        if self._measured:  # by an earlier launch
            return job.seconds / job.flops
        timed = [one for shape, one in self._first.items() if shape in self._steps and one.fit.types == job.fit.types]
        near = min(timed, key=lambda one: abs(math.log(_step(one) / _step(job))), default=None)
        return self._steps[near.shape].each if near else None

    def _rest(self, job: PlannedJob) -> float:
        """Return what a job takes beside steps: as those of its kind, else as cooldowns or stretches of any shape."""
        alike = {kind: rate for kind, rate in self._beside.items() if kind[1] == job.is_cooldown}
        own = alike.get((job.shape, job.is_cooldown))
        like = [own] if own else list(alike.values())
        return sum(rate.seconds for rate in like) / max(1.0, sum(rate.over for rate in like))


def _step(job: PlannedJob) -> float:
    """Return the FLOPs of a step."""
    return job.flops / (job.job.stop - job.job.start)
