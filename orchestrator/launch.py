"""The loop of a study: place what is ready, record what is told, settle what failed."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.cluster import Cluster
from orchestrator.failures import retries, verdict
from orchestrator.ledger import Ledger
from orchestrator.plan import Plan, PlannedJob
from orchestrator.records import Records
from orchestrator.schedule import Queue, Slot
from orchestrator.spending import Caps, Meter
from trainer.events import Checkpoint, Done, Event, Failed, Stopped
from trainer.spec import Job

POLL_SECONDS = 0.5
KEEP_SECONDS = 1.0
ASKED = "asked to stop"


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
    meter: Meter | None = None,
    ledger: Ledger | None = None,
) -> Iterator[News]:
    """Yield news until every job is done, failed or, once `stopping` is set or a cap reached, stopped at a checkpoint.

    Runs that the record is asked to stop meanwhile leave the plan. `checkpoints` tells the folders that the record
    holds for each trunk or run and step; `ledger` is kept there once a second.
    """
    slots = [Slot(name) for name in cluster.slots]
    board, meter = _Board(plan, slots, checkpoints, max_retries), meter or Meter(Caps())
    ledger = ledger or Ledger(cluster.slots)
    asked: set[str] = set()
    why = ""  # nothing more is placed
    while board.running or (board.queue.ready and not why):
        why = why or _halt(stopping, meter)
        for job, slot in [] if why else board.placements():
            board.running[slot.name] = (job, records.start(job, slot.name))
            meter.begin(slot.name, slot.type, job)
            ledger.begin(slot.name)
            cluster.start(slot.name, board.resolved(job))
            yield News(slot.name, job)
        why = why or _halt(stopping, meter)  # whoever reads the news may have asked meanwhile
        if wanted := records.asked():
            records.settle(board.stop(wanted), "stopped", reason=ASKED)
        for name in (board.running.keys() if why else board.unwanted) - asked:
            cluster.stop(name)
            asked.add(name)
        for name, events in cluster.events(POLL_SECONDS):
            job, attempt = board.running[name]
            records.write(attempt, events)
            state = board.take(name, events)
            meter.take(name, job, events, ended=state != "running")
            ledger.take(name, events, ended=state != "running")
            _settle(records, job, events[-1], state, why or (ASKED if board.stopped.issuperset(job.runs) else ""))
            asked -= {name} if state != "running" else set()
            yield News(name, job, tuple(events), state)
        if ledger.due(KEEP_SECONDS):
            records.keep(ledger)
    records.keep(ledger)
    if why not in ("", "interrupted"):
        waiting = {run: None for job in board.queue.waiting.values() for run in job.runs}
        records.settle(list(waiting), "stopped", reason=why)


def _halt(stopping: threading.Event, meter: Meter) -> str:
    """Return why nothing more may be placed, or nothing."""
    return "interrupted" if stopping.is_set() else meter.reached()


def _settle(records: Records, job: PlannedJob, end: Event, state: str, why: str) -> None:
    """Write down what the end of a job means for the runs that wait for it."""
    if state == "stopped":
        records.settle(job.runs, "stopped", reason=why or "interrupted")
    elif isinstance(end, Failed) and state != "retried":
        records.settle(job.runs, state, end.kind, last_line(end.reason))


def last_line(text: str) -> str:
    """Return the last line of a traceback or of any other text: the one that names the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class _Board:
    """Which jobs wait, run and are done, and where their checkpoints lie."""

    def __init__(
        self, plan: Plan, slots: Sequence[Slot], checkpoints: Mapping[str, Mapping[int, str]], max_retries: int
    ) -> None:
        self.queue = Queue(plan.jobs, slots)
        self.running: dict[str, tuple[PlannedJob, int]] = {}  # by slot
        self.max_retries = max_retries
        self.stopped: set[str] = set()  # runs that were asked to stop
        self._slots = slots
        self._failures: Counter[tuple[str, str]] = Counter()
        self._folders = {owner: dict(steps) for owner, steps in checkpoints.items()}

    def placements(self) -> list[tuple[PlannedJob, Slot]]:
        """Take jobs off the queue, each with a free slot."""
        return self.queue.placements([slot for slot in self._slots if slot.name not in self.running])

    def resolved(self, planned: PlannedJob) -> Job:
        """Return the trainer's job with the folder of the checkpoint that it begins from."""
        start = planned.job.start
        return replace(planned.job, origin=self._folders.get(planned.trunk, {}).get(start))

    @property
    def unwanted(self) -> set[str]:
        """Return the slots whose jobs serve no other runs than those that were asked to stop."""
        return {slot for slot, (job, _) in self.running.items() if self.stopped.issuperset(job.runs)}

    def stop(self, runs: Iterable[str]) -> list[str]:
        """Take runs out of the plan, and return those of them that no job on a slot has to leave a checkpoint for."""
        waiting = {run for job in self.queue.waiting.values() for run in job.runs}
        running = {run for job, _ in self.running.values() for run in job.runs}
        self.stopped.update(waiting.union(running).intersection(runs))
        self.queue.drop(self.stopped)
        busy = {run for slot in self.unwanted for run in self.running[slot][0].runs}
        return sorted(self.stopped.intersection(runs) - busy)

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
            self.queue.done(job)
            return "done"
        if isinstance(end, Stopped):
            if not self.stopped.issuperset(job.runs):
                self.queue.again(job)
            return "stopped"
        return self._failed(job, end)

    def _failed(self, job: PlannedJob, end: Failed) -> str:
        self._failures[job.id, end.kind] += 1
        wanted = not self.stopped.issuperset(job.runs)
        if wanted and self._failures[job.id, end.kind] <= retries(end.kind, self.max_retries):
            self.queue.again(job)
            return "retried"
        self.queue.drop(job.runs)
        return verdict(end.kind)
