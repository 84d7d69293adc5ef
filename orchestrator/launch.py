"""The loop of a study: place what is ready, record what is told, settle what failed."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.cluster import Cluster
from orchestrator.failures import retries, verdict
from orchestrator.plan import Plan, PlannedJob
from orchestrator.records import Records
from orchestrator.schedule import lengths, place
from trainer.events import Checkpoint, Done, Event, Failed, Stopped
from trainer.spec import Job

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class News:
    """Something that is already in the record: a job placed (no events), or a batch of its events.

    `state` is what the job became with this batch: running, done, stopped, retried, failed or diverged.
    """

    slot: str
    job: PlannedJob
    events: tuple[Event, ...] = ()
    state: str = "running"


def launch(
    plan: Plan,
    records: Records,
    cluster: Cluster,
    *,
    checkpoints: Mapping[str, Mapping[int, str]],
    max_retries: int,
    stopping: threading.Event,
) -> Iterator[News]:
    """Yield news until every job is done, failed or, once `stopping` is set, stopped at a checkpoint.

    `checkpoints` tells the folders that the record holds for each trunk or run and step.
    """
    board = _Board(plan, checkpoints, max_retries)
    asked: set[str] = set()
    while board.running or (board.ready() and not stopping.is_set()):
        if not stopping.is_set():
            for job, slot in board.placements(cluster.slots):
                board.running[slot] = (job, records.start(job, slot))
                cluster.start(slot, board.resolved(job))
                yield News(slot, job)
        for slot in board.running.keys() - asked if stopping.is_set() else ():
            cluster.stop(slot)
            asked.add(slot)
        for slot, events in cluster.events(POLL_SECONDS):
            job, attempt = board.running[slot]
            records.write(attempt, events)
            state = board.take(slot, events)
            _settle(records, job, events[-1], state)
            yield News(slot, job, tuple(events), state)


def _settle(records: Records, job: PlannedJob, end: Event, state: str) -> None:
    """Write down what the end of a job means for the runs that wait for it."""
    if state == "stopped":
        records.settle(job.runs, "stopped", reason="interrupted")
    elif isinstance(end, Failed) and state != "retried":
        records.settle(job.runs, state, end.kind, last_line(end.reason))


def last_line(text: str) -> str:
    """Return the last line of a traceback or of any other text: the one that names the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class _Board:
    """Which jobs wait, run and are done, and where their checkpoints lie."""

    def __init__(self, plan: Plan, checkpoints: Mapping[str, Mapping[int, str]], max_retries: int) -> None:
        self.waiting = {job.id: job for job in plan.jobs}
        self.running: dict[str, tuple[PlannedJob, int]] = {}
        self.max_retries = max_retries
        self._length = lengths(plan.jobs)
        self._warm: dict[str, str] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._folders = {owner: dict(steps) for owner, steps in checkpoints.items()}

    def ready(self) -> list[PlannedJob]:
        """Return the waiting jobs that need nothing that waits or runs."""
        busy = self.waiting.keys() | {job.id for job, _ in self.running.values()}
        return [job for job in self.waiting.values() if not busy.intersection(job.needs)]

    def placements(self, slots: tuple[str, ...]) -> list[tuple[PlannedJob, str]]:
        """Take jobs off the waiting list, each with a free slot."""
        free = [slot for slot in slots if slot not in self.running]
        placed = place(self.ready(), free, self._warm, self._length)
        for job, slot in placed:
            del self.waiting[job.id]
            self._warm[slot] = job.shape
        return placed

    def resolved(self, planned: PlannedJob) -> Job:
        """Return the trainer's job with the folder of the checkpoint that it begins from."""
        start = planned.job.start
        return replace(planned.job, origin=self._folders.get(planned.trunk, {}).get(start))

    def take(self, slot: str, events: Sequence[Event]) -> str:
        """Note what a job told and return what it became."""
        job, _ = self.running[slot]
        for event in events:
            if isinstance(event, Checkpoint) and event.kept:
                self._folders.setdefault(job.owner, {})[event.step] = event.path
        end = events[-1]
        if not isinstance(end, Done | Stopped | Failed):
            return "running"
        del self.running[slot]
        if isinstance(end, Done):
            return "done"
        if isinstance(end, Stopped):
            self.waiting[job.id] = job
            return "stopped"
        return self._failed(job, end)

    def _failed(self, job: PlannedJob, end: Failed) -> str:
        self._failures[job.id, end.kind] += 1
        if self._failures[job.id, end.kind] <= retries(end.kind, self.max_retries):
            self.waiting[job.id] = job
            return "retried"
        lost = set(job.runs)
        self.waiting = {name: one for name, one in self.waiting.items() if not lost.issuperset(one.runs)}
        return verdict(end.kind)
