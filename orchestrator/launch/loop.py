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
    state: str = "running"
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
            asked_for = ASKED if board.stopped.issuperset(job.runs) else ""
            pause = _settle(records, board, job, events[-1], state, why or asked_for)
            asked -= {name} if state != "running" else set()
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
        records.settle(board.waiting(), "stopped", reason=why)
    for cause, held in board.paused().items():
        records.settle(held, "stopped", reason=f"paused: {cause}")


def _settle(records: Records, board: Board, job: PlannedJob, end: Event, state: str, why: str) -> str:
    """Write down what the end of a job means for the runs that wait for it; return what is paused for its sake."""
    if state == "stopped" or (state == "retried" and why):  # which nobody tries again now
        records.settle(job.runs, "stopped", reason=why or "interrupted")
    if state == "done" and job.job.run is None and board.stopped.issuperset(job.runs):  # it ended before it heard
        records.settle(job.runs, "stopped", reason=ASKED)
    if not isinstance(end, Failed) or state in ("retried", "stopped"):
        return ""
    records.settle(job.runs, state, end.kind, last_line(end.reason))
    pause = board.pause(job, end)
    if pause:
        records.note("paused", pause, run=job.runs[0] if len(job.runs) == 1 else None, job=job.id)
    return pause
