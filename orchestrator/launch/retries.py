"""Failures in a launch: how often a job is tried again, and when the launch should think twice."""

import re
from collections import Counter

from scalectl.orchestrator.format import last_line
from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.vocabulary import JobState
from scalectl.trainer.events import Failed
from scalectl.trainer.failures import FAILURE_KINDS, FailureKind

LOSSES = 5  # of one job without a new checkpoint; a worker that dies again and again is killed by its own job
_CRASH = re.compile(r"F\d{4} |Fatal Python error|\*\*\* SIG")  # of absl and of Python; one that is killed says nothing
ALIKE = 3  # jobs that fail alike, before any is done, pause the study


class Failures:
    """The failures of a launch; `limit` is how often a failing job is tried again."""

    def __init__(self, limit: int) -> None:
        self.held: dict[str, str] = {}  # shape -> why no job of it is placed
        self.paused = ""  # why no job at all is placed
        self._limit = limit
        self._count: Counter[tuple[str, str]] = Counter()  # by job and kind
        self._losses: Counter[str] = Counter()  # by job, since its newest checkpoint
        self._reached: dict[str, int] = {}  # job -> its newest checkpoint
        self._crashes: dict[str, tuple[int, list[str]]] = {}  # job -> the step and the words of its last loss
        self._sound: set[str] = set()  # shapes of which a job is done
        self._alike: Counter[str] = Counter()

    def reach(self, job: PlannedJob, step: int) -> None:
        """Note a checkpoint: a job that came forward may be lost again as often as before."""
        if step > self._reached.get(job.id, -1):
            self._reached[job.id] = step
            del self._losses[job.id]

    def done(self, job: PlannedJob) -> None:
        """Note that a job is done: its shape works, whatever failed before."""
        self._sound.add(job.shape)
        self.held.pop(job.shape, None)

    def judge(self, job: PlannedJob, end: Failed) -> JobState:
        """What a job that failed becomes: retried, failed or diverged."""
        kind = FAILURE_KINDS[end.kind]
        if self._may_try_again(job, kind) and not self._crashes_again(job, end):
            return JobState.RETRIED
        return JobState(kind.run)

    def _may_try_again(self, job: PlannedJob, kind: FailureKind) -> bool:
        match kind.tries:
            case "once":
                return False
            case "retries":
                self._count[job.id, kind.name] += 1
                return self._count[job.id, kind.name] <= self._limit
            case "progress":
                self._losses[job.id] += 1
                return self._losses[job.id] < LOSSES
            case "always":
                return True

    def _crashes_again(self, job: PlannedJob, end: Failed) -> bool:
        """Whether a worker crashed at the step and with the words of the crash before, as it would once more."""
        words = [re.sub(r"\d+|0x[0-9a-f]+", "", line) for line in end.reason.splitlines() if _CRASH.match(line)]
        crash = (end.step, words[:1])
        again = bool(words) and self._crashes.get(job.id) == crash
        self._crashes[job.id] = crash
        return again

    def pause(self, job: PlannedJob, end: Failed) -> str:
        """What is no longer placed after a job failed for good, and why; empty where the rest goes on.

        The first job of a shape is its canary: where it fails as any other would, they wait. Other shapes go on, until
        the first ALIKE jobs of all have failed with one cause, or one with a cause that none escapes.
        """
        kind, cause = FAILURE_KINDS[end.kind], f"{end.kind}: {last_line(end.reason)}"
        self._alike[cause] += 1
        if kind.pauses and not self.paused:
            self.paused = cause
            return f"the study, because no job would end otherwise: {cause}"
        if not self._sound and self._alike[cause] >= ALIKE and not self.paused:
            self.paused = cause
            return f"the study, because the first {ALIKE} jobs failed alike: {cause}"
        certain = kind.tries == "once" and kind.run == "failed"
        if certain and job.shape not in self._sound and job.shape not in self.held:
            self.held[job.shape] = cause
            return f"jobs of shape {job.shape}, of which the first failed: {cause}"
        return ""

    def waits(self, job: PlannedJob) -> str:
        """Why a job that waits is not placed; empty where it only waits for its turn."""
        return self.paused or self.held.get(job.shape, "")
