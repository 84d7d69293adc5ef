"""How much of a launch is done and when the rest will be, by what its jobs report."""

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from scalectl.orchestrator.format import duration
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.pace import Pace
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Measurement, Progress, Started

RECKON = 50  # times as long as it took is a sum over all jobs good for, so that a large study is no slower than a small


@dataclass(frozen=True)
class _Sum:
    """The share of the work that is done and the seconds that are left, as of a moment, and until when that will do."""

    share: float = 0.0
    left: float | None = None
    at: float = -math.inf
    until: float = -math.inf


class Tally:
    """How much of a plan is done, in runs and in FLOPs, when the rest will be, and what was measured."""

    def __init__(self, plan: Plan, slots: Sequence[Slot]) -> None:
        self.study, self.names = plan.study, [job.job.name for job in plan.jobs]
        self.runs = len(plan.missing)
        self.ended = 0
        self.measured: dict[str, dict[str, float]] = defaultdict(dict)  # job on a slot -> metric -> value
        self._jobs: defaultdict[str, list[PlannedJob]] = defaultdict(list)  # by trunk
        for job in plan.jobs:
            self._jobs[job.trunk].append(job)
        self._on: dict[str, str] = {}  # slot -> its last job
        self._work = {job.id: float(max(1, job.flops)) for job in plan.jobs}
        self._done: dict[str, float] = {}
        self._open = {job.id for job in plan.jobs}
        self._pace = Pace(plan, slots)
        self._summed = _Sum()

    def follow(self, slots: Sequence[Slot]) -> None:
        """Reckon with these slots from now on."""
        self._pace.follow(slots)

    def take(self, news: News) -> None:
        """Count a piece of news."""
        job = news.job
        self._pace.take(news)
        if not news.events:
            self.measured.pop(self._on.get(news.slot, ""), None)
            self._on[news.slot] = job.id
        if not news.ended:
            self._work.setdefault(job.id, float(max(1, job.flops)))  # of a stretch that is trained again
            self._open.add(job.id)
        for event in news.events:
            if isinstance(event, Started | Progress):
                self._done[job.id] = self._work[job.id] * part(job.first_step, event.step, job.job.stop)
            if isinstance(event, Measurement):
                self.measured[job.id][event.metric] = event.value
        if news.state in (JobState.FAILED, JobState.DIVERGED, JobState.STOPPED):
            self._lose(news)
        if news.state is JobState.DONE:
            self._done[job.id] = self._work[job.id]
            self._open.discard(job.id)
            if job.is_cooldown:
                self.ended += 1

    def _lose(self, news: News) -> None:
        """Take what is left of a job that ended early, and all that waits for it or is held back, out of the work."""
        lost, jobs = set(news.job.runs), self._jobs[news.job.trunk]
        if news.pause:
            jobs = [job for of_trunk in self._jobs.values() for job in of_trunk]
        for job in jobs:
            if lost.issuperset(job.runs) or (news.pause and job.shape == news.job.shape):
                self._work[job.id] = self._done.get(job.id, 0.0)
                self._open.discard(job.id)

    @property
    def share(self) -> float:
        """The share of the plan's FLOPs that is done, 0 to 1."""
        self._sum()
        return self._summed.share

    def seconds_left(self) -> float | None:
        """The seconds that the rest takes at the pace of this launch; None where that can't be told yet."""
        self._sum()
        if self._summed.left is None:
            return None
        return max(0.0, self._summed.left - (time.monotonic() - self._summed.at))

    def _sum(self) -> None:
        """Sum up all jobs, unless that was done a moment ago and took long."""
        began = time.monotonic()
        if began < self._summed.until and self._open:
            return
        left = self._pace.seconds({name: self._work[name] - self._done.get(name, 0.0) for name in self._open})
        share, total = 1.0, sum(self._work.values())
        if total:
            share = min(1.0, sum(self._done.values()) / total)
        now = time.monotonic()
        self._summed = _Sum(share, left, now, now + RECKON * (now - began))

    @property
    def left(self) -> str:
        """The time that the rest takes, or that it can't be told yet, in words."""
        seconds = self.seconds_left()
        if seconds is None:
            return "time left: measuring"
        return f"{duration(seconds)} left"


def part(start: int, step: int, stop: int) -> float:
    """The part of the steps from `start` to `stop` that is done at `step`, 0 to 1."""
    return min(1.0, max(0.0, (step - start) / max(1, stop - start)))
