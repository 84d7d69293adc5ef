"""The loop of a study: place what is ready, record what is told, settle what failed."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.launch.jobs import Board
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.retries import last_line
from scalectl.orchestrator.plan.limits import Caps, Meter
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.slots import CPU, Slot
from scalectl.orchestrator.states import JobState, RunState
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Event, Failed

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
    state: JobState = JobState.RUNNING
    pause: str = ""  # what is placed no more from now on, and why


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
    slots = [Slot(name, cluster.types.get(name, CPU)) for name in cluster.slots]
    board, meter = Board(plan, slots, checkpoints, max_retries), meter or Meter(Caps())
    ledger = ledger or Ledger(cluster.slots)
    asked: set[str] = set()
    why = ""  # nothing more is placed
    while board.running or (board.ready and not why):
        why = why or _halt(stopping, meter)
        for job, slot in board.placements() if board.ready and not why else []:
            board.running[slot.name] = (job, records.start(job, slot.name, slot.type))
            meter.begin(slot.name, slot.type, job)
            ledger.begin(slot.name)
            cluster.start(slot.name, board.resolved(job))
            yield News(slot.name, job)
        why = why or _halt(stopping, meter)  # whoever reads the news may have asked meanwhile
        if wanted := records.stop_requests():
            records.settle(board.stop(wanted), RunState.STOPPED, reason=ASKED)
        for name in (board.running.keys() if why else board.unwanted) - asked:
            cluster.stop(name)
            asked.add(name)
        for name, events in cluster.events(POLL_SECONDS):
            job, attempt = board.running[name]
            records.write(attempt, events)
            state = board.take(name, events)
            meter.take(name, job, events, ended=state is not JobState.RUNNING)
            ledger.take(name, events, ended=state is not JobState.RUNNING)
            asked_for = ASKED if board.stopped.issuperset(job.runs) else ""
            pause = _settle(records, board, job, events[-1], state, why or asked_for)
            asked -= {name} if state is not JobState.RUNNING else set()
            yield News(name, job, tuple(events), state, pause)
        if ledger.due(KEEP_SECONDS):
            records.keep(ledger.entries())
    records.keep(ledger.entries())
    _leave(records, board, why)


def _halt(stopping: threading.Event, meter: Meter) -> str:
    """Return why nothing more may be placed, or nothing."""
    return "interrupted" if stopping.is_set() else meter.reached()


def _leave(records: Records, board: Board, why: str) -> None:
    """Write down why what still waits is placed no more; what an interrupt leaves stays planned."""
    if why not in ("", "interrupted"):
        records.settle(board.waiting(), RunState.STOPPED, reason=why)
    for cause, held in board.paused().items():
        records.settle(held, RunState.STOPPED, reason=f"paused: {cause}")


def _settle(records: Records, board: Board, job: PlannedJob, end: Event, state: JobState, why: str) -> str:
    """Write down what the end of a job means for the runs that wait for it; return what is paused for its sake."""
    if state is JobState.STOPPED or (state is JobState.RETRIED and why):  # which nobody tries again now
        records.settle(job.runs, RunState.STOPPED, reason=why or "interrupted")
    unwanted = not job.is_cooldown and board.stopped.issuperset(job.runs)
    if unwanted and state is JobState.DONE:  # it ended before it heard
        records.settle(job.runs, RunState.STOPPED, reason=ASKED)
    if not isinstance(end, Failed) or state in (JobState.RETRIED, JobState.STOPPED):
        return ""
    records.settle(job.runs, RunState(state), end.kind, last_line(end.reason))
    pause = board.pause(job, end)
    if pause:
        records.note("paused", pause, run=job.runs[0] if len(job.runs) == 1 else None, job=job.id)
    return pause
