"""How long the rest of a launch takes, from the time that its jobs have reported so far."""

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.vocabulary import JobState
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
    def mean(self) -> float:
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
        """Note what a job reported, and when."""
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
        if spent and news.state is JobState.DONE:
            self._end(job, spent)

    def _point(self, job: PlannedJob, point: Progress) -> None:
        before = self._last.get(job.id, point)
        share = (point.step - before.step) / max(1, job.job.stop - job.job.start)
        if share * job.flops > 0:  # an evaluation alone tells the curve of its run again
            self._steps[job.shape].add(point.device_seconds - before.device_seconds, share * job.flops)
        self._last[job.id] = point

    def _end(self, job: PlannedJob, spent: Spent) -> None:
        kind, now = (job.shape, job.is_cooldown), time.monotonic()
        seconds = now - self._placed.get(job.id, now) - spent.train
        if kind not in self._beside:
            seconds -= spent.compile
        self._beside[kind].add(max(0.0, seconds))

    def seconds(self, left: Mapping[str, float]) -> float | None:
        """The seconds that `left` takes: the FLOPs of each job to come; None where no speed is known yet.

        Jobs that the same types of slots will do for share the slots that took some of them; the longest chain of jobs
        may take longer.
        """
        ends: dict[str, float] = {}
        work: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for job in self._jobs.values():
            own: float | None = 0.0
            if job.id in left:
                own = self._job(job, left[job.id])
            if own is None:
                return None
            ends[job.id] = own + max((ends.get(need, 0.0) for need in job.needs), default=0.0)
            work[job.fit.types] += own
        shares = [seconds / max(1, len(self._slots[types])) for types, seconds in work.items()]
        return max([*shares, *ends.values(), 0.0])

    def _job(self, job: PlannedJob, flops: float) -> float | None:
        if not job.flops and not self._beside:
            return None
        if not job.flops:
            return self._overhead(job)
        rate = self._rate(job)
        if rate is None:
            return None
        return flops * rate + self._overhead(job)

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
        """The seconds of a job beside steps: as those of its kind, else as cooldowns or stretches of any shape."""
        own = self._beside.get((job.shape, job.is_cooldown))
        if own:
            return own.mean
        rates = [rate for (_, is_cooldown), rate in self._beside.items() if is_cooldown == job.is_cooldown]
        return sum(rate.seconds for rate in rates) / max(1.0, sum(rate.over for rate in rates))


def _step(job: PlannedJob) -> float:
    """The FLOPs of a step."""
    return job.flops / (job.job.stop - job.job.start)
