"""All that a store knows of one run, its own or an imported one, and what its jobs said."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, literal, or_, select

from scalectl.orchestrator.store.names import ids
from scalectl.orchestrator.store.runs import Waits, jobs_of
from scalectl.orchestrator.store.tables import (
    SETTINGS,
    attempts,
    checkpoints,
    events,
    exclusions,
    imported,
    imports,
    jobs,
    measurements,
    metrics,
    progress,
    runs,
    studies,
    trunks,
)
from scalectl.orchestrator.vocabulary import JobKind, RunState, job_name

_JOB = (jobs.c.run_name, jobs.c.start, jobs.c.stop)  # what the name of an attempt's job is made of, beside its kind
_PLACE = ("id", "job_kind", "slot", "slot_type", "host", "pid", "device", "revision")
_COURSE = ("started", "ended", "state", "kind", "reason")
_SPENT = ("first_step", "step", "flops", "device_seconds", "compile_seconds")
_NAMED = ("id", "name", "study", "excluded")
_COST = ("device_seconds", "core_days")
_VALUE = ("step", "value", "test_images")
_POINTS = 5  # of the curve of a job that its log shows
_NO_TIME = " " * len("2026-01-01 00:00:00")
Line = tuple[datetime, tuple[int, ...], str]  # UTC, numbers that keep the order, text


@dataclass(frozen=True)
class Details:
    """A run: what it is, its state, what it waits for, its attempts with those of its trunk, and what it left."""

    run: dict[str, Any]
    attempts: tuple[dict[str, Any], ...]
    checkpoints: tuple[dict[str, Any], ...]
    measurements: tuple[dict[str, Any], ...]

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings and cost by the names of their columns, None where an imported run's file says nothing."""
        return {name: self.run[name] for name in (*SETTINGS, *_COST)}

    def to_json(self) -> dict[str, Any]:
        """The run as a JSON object; docs/results.md lists its keys."""
        lists = {"attempts": self.attempts, "checkpoints": self.checkpoints, "measurements": self.measurements}
        document: dict[str, Any] = json.loads(json.dumps({**self.run, **lists}, default=str))
        return document


def details(connection: Connection, word: str, *, launched: bool) -> Details:
    """The run that a word names; `launched` tells whether a launch is running. Raises NotFound."""
    (run,) = ids(connection, [word], imported=True)
    foreign = connection.execute(select(imports).where(imports.c.id == run)).one_or_none()
    if foreign is not None:
        return _imported(connection, foreign)
    return _trained(connection, run, launched=launched)


def _imported(connection: Connection, row: Row[Any]) -> Details:
    """An imported run, with None for what only trained ones have."""
    columns = {name: getattr(row, name) for name in (*_NAMED, *SETTINGS, *_COST, "origin")}
    columns |= dict.fromkeys(("trunk", "branch", "devices", "digest", "spec"))
    columns |= {"state": RunState.DONE, "kind": "", "reason": "", "waits_for": "", "exclusion": row.reason or None}
    query = select(
        metrics.c.name.label("metric"), literal(row.steps).label("step"), imported.c.value, imported.c.test_images
    )
    values = query.join_from(imported, metrics).where(imported.c.run == row.number)
    return Details(columns, (), (), _rows(connection, values))


def _trained(connection: Connection, run: str, *, launched: bool) -> Details:
    columns = [runs.c[name] for name in ("id", "name", "state", "kind", "reason", "excluded", *SETTINGS)]
    columns += [runs.c[name] for name in ("devices", *_COST, "digest", "spec", "number")]
    named = (studies.c.name.label("study"), trunks.c.id.label("trunk"), runs.c.trunk.label("trunk_number"))
    query = select(*columns, *named, exclusions.c.reason.label("exclusion"))
    joined = runs.join(studies).join(trunks).outerjoin(exclusions)
    row = dict(connection.execute(query.select_from(joined).where(runs.c.id == run)).one()._mapping)
    number, trunk = row.pop("number"), row.pop("trunk_number")
    branch = row["steps"] - row["cooldown"]
    waits = Waits(connection, launched=launched).why(run, row["state"], trunk, branch, row["reason"])
    row |= {"waits_for": waits, "branch": branch, "spec": json.loads(row["spec"]), "origin": None}
    row["devices"] = float(row["devices"])  # whole numbers in stores of earlier versions
    own_jobs = jobs_of(number, trunk, branch)
    tried = select(*(attempts.c[name] for name in (*_PLACE, *_COURSE, *_SPENT)), *_JOB).join_from(attempts, jobs)
    kept = select(*(checkpoints.c[name] for name in ("path", "step", "kept", "digest"))).join_from(checkpoints, jobs)
    values = select(metrics.c.name.label("metric"), *(measurements.c[name] for name in _VALUE))
    return Details(
        row,
        tuple(map(_attempt, _rows(connection, tried.where(own_jobs).order_by(attempts.c.id)))),
        _rows(connection, kept.where(own_jobs).order_by(checkpoints.c.step)),
        _rows(connection, values.join_from(measurements, metrics).where(measurements.c.run == number)),
    )


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    """An attempt with the name of its job, as it was when the attempt began."""
    job = job_name(row["job_kind"], row.pop("run_name"), row.pop("start"), row.pop("stop"))
    return {"job": job, **row}


def _rows(connection: Connection, query: Select[Any]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(row._mapping) for row in connection.execute(query))


def log(connection: Connection, word: str) -> list[str]:
    """What the jobs of the run that a word names have said: attempts, losses, ends, errors, warnings; oldest first.

    Raises NotFound.
    """
    (name,) = ids(connection, [word])
    run = connection.execute(select(runs).where(runs.c.id == name)).one()
    own_jobs = jobs_of(run.number, run.trunk, run.steps - run.cooldown)
    lines = [*_attempts(connection, own_jobs), *_events(connection, own_jobs, run.number)]
    return [text for _, _, text in sorted(lines)]


def _attempts(connection: Connection, own_jobs: ColumnElement[bool]) -> Iterator[Line]:
    query = select(attempts, *_JOB, jobs.c.trunk, jobs.c.run).join_from(attempts, jobs).where(own_jobs)
    count: Counter[str] = Counter()
    tried = connection.execute(query.order_by(attempts.c.id)).all()
    last = {attempt.job: attempt.id for attempt in tried if attempt.job_kind is not JobKind.EVALUATION}
    for attempt in tried:
        count[attempt.job] += 1
        name = job_name(attempt.job_kind, attempt.run_name, attempt.start, attempt.stop)
        begin = f"{_clock(attempt.started)}  {name}: attempt {count[attempt.job]}{_place(attempt)}"
        yield attempt.started, (attempt.id, 0), begin
        if attempt.id == last.get(attempt.job):
            yield from _curve(connection, attempt, name)
        if attempt.ended:
            yield attempt.ended, (attempt.id, 2), f"{_clock(attempt.ended)}  {name}: {_end(attempt)}"


def _curve(connection: Connection, attempt: Row[Any], name: str) -> Iterator[Line]:
    """Yield a few points of a job's curve, evenly spaced; a curve doesn't know its time, so none has one."""
    own = (progress.c.trunk == attempt.trunk, progress.c.run == (attempt.run or 0))
    inside = (progress.c.step > attempt.start, progress.c.step <= attempt.stop)
    shown = 0
    for point in connection.execute(select(progress).where(*own, *inside).order_by(progress.c.step)):
        part = _POINTS * (point.step - attempt.start) // max(1, attempt.stop - attempt.start)
        if part == shown:
            continue
        shown = part
        loss = "--" if point.loss is None else f"{point.loss:.4g}"
        text = f"{_NO_TIME}  {name}: step {point.step:,}, loss {loss}"
        if point.images_per_second:
            text += f", {point.images_per_second:,.0f} images/s"
        yield attempt.started, (attempt.id, 1, point.step), text


def _clock(time: datetime) -> str:
    return time.isoformat(" ", "seconds")


def _place(attempt: Row[Any]) -> str:
    text = f" on slot {attempt.slot}"
    if attempt.host:
        text += f" on {attempt.host}, process {attempt.pid}"
    if attempt.first_step is not None:
        text += f", from step {attempt.first_step:,}"
    return text


def _end(attempt: Row[Any]) -> str:
    text = str(attempt.state)
    if attempt.kind:
        text += f" ({attempt.kind})"
    if attempt.step is not None:
        text += f" at step {attempt.step:,}"
    return text + "".join(f"\n    {line}" for line in attempt.reason.splitlines())


def _events(connection: Connection, own_jobs: ColumnElement[bool], number: int) -> Iterator[Line]:
    own = or_(events.c.run == number, events.c.job.in_(select(jobs.c.id).where(own_jobs)))
    for event in connection.execute(
        select(events).where(own, events.c.what.not_in(("done", "evaluated")))
    ):  # as its attempt says
        yield event.at, (0,), f"{_clock(event.at)}  {event.what}: {event.text}"
