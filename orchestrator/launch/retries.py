"""What a failure means: how often its kind is tried again, what a run becomes, and when a launch should think twice."""

from collections import Counter
from typing import Literal

from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.trainer.events import Failed, FailureKind

Budget = Literal["once", "retries", "progress"]

BUDGETS: dict[FailureKind, Budget] = {
    "user_error": "once",  # deterministic: it would fail again
    "bad_config": "once",
    "nonfinite": "once",
    "out_of_memory": "retries",  # another process may have held the memory
    "stalled": "retries",
    "no_capacity": "retries",
    "checkpoint_corrupt": "retries",  # the stretch that made it is trained again first
    "preempted": "progress",  # the machine's doing, not the run's, as long as the run comes forward in between
    "node_lost": "progress",
}
LOSSES = 5  # of one job without a new checkpoint; a worker that dies again and again is killed by its own job
ALIKE = 3  # jobs that fail alike, before any is done, pause the study


def verdict(kind: FailureKind) -> str:
    """Return the state of a run whose job failed for good: a loss that is not finite is a result, not an accident."""
    return "diverged" if kind == "nonfinite" else "failed"


class Failures:
    """The failures of a launch; `limit` is how often a failing job is tried again."""

    def __init__(self, limit: int) -> None:
        self.held: dict[str, str] = {}  # shape -> why no job of it is placed
        self.paused = ""  # why no job at all is placed
        self._limit = limit
        self._count: Counter[tuple[str, str]] = Counter()  # by job and kind, or "progress" for all that bound
        self._reached: dict[str, int] = {}  # job -> its newest checkpoint
        self._sound: set[str] = set()  # shapes of which a job is done
        self._alike: Counter[str] = Counter()

    def reach(self, job: PlannedJob, step: int) -> None:
        """Note a checkpoint: a job that came forward may be lost again as often as before."""
        if step > self._reached.get(job.id, -1):
            self._reached[job.id] = step
            del self._count[job.id, "progress"]

    def done(self, job: PlannedJob) -> None:
        """Note that a job is done: its shape works, whatever failed before."""
        self._sound.add(job.shape)
        self.held.pop(job.shape, None)

    def judge(self, job: PlannedJob, end: Failed) -> str:
        """Return what a job that failed becomes: retried, failed or diverged."""
        budget = BUDGETS[end.kind]
        key = job.id, "progress" if budget == "progress" else end.kind
        self._count[key] += 1
        most = {"once": 0, "retries": self._limit, "progress": LOSSES - 1}[budget]
        if self._count[key] <= most:
            return "retried"
        return verdict(end.kind)

    def pause(self, job: PlannedJob, end: Failed) -> str:
        """Return what is placed no more after a job failed for good, and why; nothing where the rest goes on.

        The first job of a shape is its canary: where it fails as any other would, they wait. Other shapes go on, until
        the first ALIKE jobs of all have failed with one cause.
        """
        cause = f"{end.kind}: {last_line(end.reason)}"
        self._alike[cause] += 1
        if not self._sound and self._alike[cause] >= ALIKE and not self.paused:
            self.paused = cause
            return f"the study, because the first {ALIKE} jobs failed alike: {cause}"
        certain = BUDGETS[end.kind] == "once" and end.kind != "nonfinite"
        if certain and job.shape not in self._sound and job.shape not in self.held:
            self.held[job.shape] = cause
            return f"jobs of shape {job.shape}, of which the first failed: {cause}"
        return ""

    def waits(self, job: PlannedJob) -> str:
        """Return why a job that waits is not placed, or nothing where it only waits for its turn."""
        return self.paused or self.held.get(job.shape, "")


def last_line(text: str) -> str:
    """Return the last line of a traceback or of any other text: the one that names the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
