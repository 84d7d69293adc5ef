"""Attempts at jobs as rows: how they begin, what they report, and how they end.

Each job passes through here, so statements are built once: to build one takes several times as long as to carry it out.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

from sqlalchemy import Connection, Insert, ScalarSelect, Table, bindparam, delete, func, insert, or_, select, update

from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.store import rows
from scalectl.orchestrator.store.intake import add_metrics, now
from scalectl.orchestrator.store.runs import jobs_of
from scalectl.orchestrator.store.tables import (
    attempts,
    checkpoints,
    jobs,
    measurements,
    metrics,
    progress,
    runs,
    trunks,
)
from scalectl.orchestrator.store.tables import events as history
from scalectl.orchestrator.vocabulary import AttemptState, JobKind, JobState, RunState
from scalectl.trainer.events import (
    ROLLING,
    Alive,
    Checkpoint,
    Done,
    Event,
    Failed,
    Measurement,
    Noticed,
    Progress,
    Skipped,
    Spent,
    Started,
    Stopped,
)
from scalectl.trainer.failures import FAILURE_KINDS
from scalectl.trainer.flops import training_flops

_JOBS = {AttemptState.DONE: JobState.DONE, AttemptState.STOPPED: JobState.STOPPED}  # after any other end: failed


def replacing(table: Table) -> Insert:
    """An insertion in place of the row that has the same key, if there is one."""
    return insert(table).prefix_with("OR REPLACE")


def number_of(run: Any) -> ScalarSelect[int]:
    """The number of a run in the store, as a part of a statement."""
    return select(runs.c.number).where(runs.c.id == run).scalar_subquery()


# names of parameters begin with `of_`, as those of columns stand for new values
_TRUNK = select(trunks.c.number).where(trunks.c.id == bindparam("of_trunk"))
_RUN = select(runs.c.number).where(runs.c.id == bindparam("of_run"))
_STUDY = select(func.max(jobs.c.study)).where(jobs.c.trunk == bindparam("of_trunk"))
_ADD_JOB = insert(jobs)
_CHANGE_JOB = update(jobs).where(jobs.c.id == bindparam("of_job"))
_CHANGE_RUN = update(runs).where(runs.c.number == bindparam("of_run"), runs.c.state != RunState.DONE)
_TRAINED_AGAIN = update(runs).where(runs.c.number == bindparam("of_run"))
_ADD = insert(attempts).returning(attempts.c.id)
_CHANGE = update(attempts).where(attempts.c.id == bindparam("of_attempt"))
_END = _CHANGE.values(ended=func.coalesce(attempts.c.ended, bindparam("of_now", type_=attempts.c.ended.type)))
_COUNT = _CHANGE.where(or_(attempts.c.step.is_(None), attempts.c.step <= bindparam("of_step")))
_KEEP = replacing(checkpoints)
_DROP = delete(checkpoints).where(checkpoints.c.path == bindparam("of_path"))
_OWN = (checkpoints.c.job == bindparam("of_job"), checkpoints.c.step <= bindparam("of_step"))
_NEWEST = select(checkpoints.c.step).where(*_OWN).order_by(checkpoints.c.step.desc()).limit(ROLLING)
_FORGET = delete(checkpoints).where(*_OWN, ~checkpoints.c.kept, checkpoints.c.step.not_in(_NEWEST))
# a trunk may have a checkpoint at a step at which a cooldown of its goes on from its own
_BEGINNING = (
    select(checkpoints.c.device_seconds, checkpoints.c.core_seconds)
    .where(
        checkpoints.c.trunk == bindparam("of_trunk"),
        checkpoints.c.step == bindparam("of_step"),
        or_(checkpoints.c.run.is_(None), checkpoints.c.run == bindparam("of_run")),
    )
    .order_by(checkpoints.c.run.desc().nulls_last())
)
_CURVE, _VALUES = replacing(progress), replacing(measurements)
_METRICS = select(metrics.c.name, metrics.c.id)
_NOTE = insert(history).values(run=number_of(bindparam("of_run")))


def begin(connection: Connection, job: PlannedJob, place: rows.Row) -> tuple[int, rows.Placed]:
    """Write down that an attempt at a job begins at a place; returns its number, and the job as `take` needs it."""
    trunk = connection.scalars(_TRUNK, {"of_trunk": job.trunk}).one()
    run = connection.scalars(_RUN, {"of_run": job.owner}).one_or_none()
    if not connection.execute(_CHANGE_JOB, {"of_job": job.id, "state": JobState.RUNNING}).rowcount:
        _add_job(connection, job, trunk)
    began = {"state": AttemptState.STARTING, "started": now()}
    number = int(connection.scalars(_ADD, {"job": job.id, "job_kind": job.kind, **began, **place}).one())
    connection.execute(_CHANGE_RUN, {"of_run": run, "state": RunState.RUNNING, "kind": "", "reason": ""})
    devices = job.fit.devices_on(place["slot_type"])
    return number, rows.Placed(job, trunk, run, training_flops(job.job.trunk, 1), devices)


def _add_job(connection: Connection, job: PlannedJob, trunk: int) -> None:
    """Write down a job that no plan named and that runs: a stretch that makes a lost checkpoint again."""
    study = connection.scalars(_STUDY, {"of_trunk": trunk}).one()
    connection.execute(_ADD_JOB, {**rows.of_job(job), "study": study, "trunk": trunk, "state": JobState.RUNNING})


def take(connection: Connection, attempt: int, placed: rows.Placed, events: Sequence[Event]) -> None:
    """Write down what an attempt reports."""
    curve = [rows.of_progress(event, placed) for event in events if isinstance(event, Progress)]
    if curve:
        connection.execute(_CURVE, curve)
    read_off = [event for event in events if isinstance(event, Measurement)]
    if read_off:
        number = _metrics(connection, read_off)
        connection.execute(_VALUES, [rows.of_measurement(event, placed, number[event.metric]) for event in read_off])
    for event in events:
        _take(connection, attempt, placed, event)
    _count(connection, attempt, placed, events)


def _metrics(connection: Connection, read_off: Sequence[Measurement]) -> dict[str, int]:
    """The numbers of the metrics by their names, of those that are new too."""
    number = {row.name: row.id for row in connection.execute(_METRICS)}
    names = dict.fromkeys(event.metric for event in read_off)
    if names.keys() <= number.keys():
        return number
    add_metrics(connection, names)
    return {row.name: row.id for row in connection.execute(_METRICS)}


def _take(connection: Connection, attempt: int, placed: rows.Placed, event: Event) -> None:
    match event:
        case Started(step, host, pid, device, versions):
            placed.began = placed.began or _beginning(connection, placed, step)
            where = {"host": host, "pid": pid, "device": device, "versions": versions, "first_step": step}
            connection.execute(_CHANGE, {"of_attempt": attempt, "state": AttemptState.RUNNING, **where})
        case Checkpoint():
            connection.execute(_KEEP, rows.of_checkpoint(event, placed))
            # rolling checkpoints that this one has pruned from disk
            connection.execute(_FORGET, {"of_job": placed.job.id, "of_step": event.step})
        case Skipped(_, path, reason):
            connection.execute(_DROP, {"of_path": path})
            _warn(connection, placed, reason)
        case Noticed(_, text):
            _warn(connection, placed, text)
        case Done():
            _finish(connection, attempt, placed, event)
        case Stopped():
            _end(connection, attempt, placed, AttemptState.STOPPED)
        case Progress() | Measurement():
            pass  # written many at a time
        case Alive() | Spent():
            pass  # for the launcher alone
        case Failed(kind, _, reason):
            state = AttemptState(FAILURE_KINDS[kind].attempt)
            _end(connection, attempt, placed, state, kind=kind, reason=redacted(reason))
        case _:
            assert_never(event)


def _beginning(connection: Connection, placed: rows.Placed, step: int) -> tuple[int, float, float] | None:
    """The step, device seconds and core seconds that an attempt goes on from, where the store knows them."""
    if step == 0:
        return 0, 0.0, 0.0
    place = {"of_trunk": placed.trunk, "of_step": step, "of_run": placed.run}
    row = connection.execute(_BEGINNING, place).first()
    if row is None or row.device_seconds is None or row.core_seconds is None:
        return None
    return step, row.device_seconds, row.core_seconds


def _finish(connection: Connection, attempt: int, placed: rows.Placed, event: Done) -> None:
    compiling = {"compile_seconds": rows.finite(event.compile_seconds), "compilations": event.compilations}
    _end(connection, attempt, placed, AttemptState.DONE, **compiling)
    if event.mfu is not None and _kinds(connection, attempt, placed) > 1:  # of whose peaks none is that of the run
        event = replace(event, mfu=None)
    result = {"digest": event.digest, **rows.of_speed(event, placed)}
    done = {"of_run": placed.run, "state": RunState.DONE, "kind": "", "reason": "", **result}
    if connection.execute(_CHANGE_RUN, done).rowcount:
        note(connection, "done", placed.job.job.name, run=placed.job.owner, job=placed.job.id)
    elif placed.job.kind is JobKind.EVALUATION:
        note(connection, "evaluated", placed.job.run_name, run=placed.job.owner, job=placed.job.id)
    elif placed.run is not None:  # its checkpoint was gone: what is measured now is of these parameters
        connection.execute(_TRAINED_AGAIN, {"of_run": placed.run, **result})


def _kinds(connection: Connection, attempt: int, placed: rows.Placed) -> int:
    """The number of kinds of devices that have trained the run of a job."""
    trained = or_(attempts.c.flops > 0, attempts.c.id == attempt)
    kinds = select(func.count(attempts.c.device.distinct())).join_from(attempts, jobs).where(trained)
    return connection.scalars(kinds.where(jobs_of(placed.run or 0, placed.trunk, placed.job.job.start))).one()


def _end(connection: Connection, attempt: int, placed: rows.Placed, state: AttemptState, **columns: Any) -> None:
    connection.execute(_END, {"of_attempt": attempt, "of_now": now(), "state": state, **columns})
    job_state = _JOBS.get(state, JobState.FAILED)
    connection.execute(_CHANGE_JOB, {"of_job": placed.job.id, "state": job_state})


def _count(connection: Connection, attempt: int, placed: rows.Placed, events: Sequence[Event]) -> None:
    """Write down how far the attempt has come, and what it has spent; a checkpoint may come steps after its own."""
    timed = [event for event in events if isinstance(event, Progress | Checkpoint | Done)]
    if timed:
        last = max(timed, key=lambda event: event.step)
        gained = placed.gained(last.step, last.device_seconds)
        connection.execute(_COUNT, {"of_attempt": attempt, "of_step": last.step, **gained})


def _warn(connection: Connection, placed: rows.Placed, text: str) -> None:
    job = placed.job
    note(connection, "warning", f"{job.job.name}: {text}", run=job.owner, job=job.id)


def note(connection: Connection, kind: str, text: str, run: str | None = None, job: str | None = None) -> None:
    """Write down that something happened, with the ids of the run and of the job that it happened to."""
    row = {"at": now(), "what": kind, "text": redacted(text), "job": job}
    connection.execute(_NOTE, {"of_run": run, **row})
