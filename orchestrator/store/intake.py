"""A Plan into the store, as rows before anything starts, and the runs of other people."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from scalectl.orchestrator.errors import NotFound, Refusal
from scalectl.orchestrator.format import few
from scalectl.orchestrator.plan.plan import Plan, PlannedRun
from scalectl.orchestrator.store import rows
from scalectl.orchestrator.store.foreign import Foreign, alike, steady
from scalectl.orchestrator.store.layout import CAPITALS
from scalectl.orchestrator.store.renaming import rename_models
from scalectl.orchestrator.store.sharing import has_more_than, share_trunks
from scalectl.orchestrator.store.tables import (
    attempts,
    imported,
    imports,
    jobs,
    measurements,
    members,
    metrics,
    runs,
    studies,
    trunks,
)
from scalectl.orchestrator.store.views import create_views, most_metrics
from scalectl.orchestrator.vocabulary import AttemptState, JobState, RunState

PART = 100  # rows or runs that are made and written at a time
_EARLIER = delete(imported).where(imported.c.run == bindparam("number"), imported.c.metric == bindparam("id"))
Item = TypeVar("Item")


def now() -> datetime:
    """The time as the store writes it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def take_in(connection: Connection, plan: Plan, document: str, fits: str) -> None:
    """Write down everything that the plan names; runs that are done keep their state, the missing ones are planned.

    Other runs that the study has stay its own, and so do those that another study has as well.
    """
    study = _study(connection, plan.study, document, fits)
    _upsert(connection, trunks, "id", (rows.of_trunk(name, spec) for name, spec in plan.trunks.items()))
    trunk = _numbers(connection, trunks)
    shared = {"study": study, "listed": True, "state": RunState.PLANNED}
    new = ({**shared, **rows.of_run(run), "trunk": trunk[run.trunk]} for run in plan.runs)
    _upsert(connection, runs, "id", new, keep={"state"})
    if has_more_than(connection, len(plan.runs)):
        share_trunks(connection)
    run = _numbers(connection, runs)
    for part in _parts(plan.runs):
        own = [{"study": study, "run": run[planned.id], "model": planned.model} for planned in part]
        added = insert(members)
        named = added.on_conflict_do_update(index_elements=["study", "run"], set_={"model": added.excluded.model})
        connection.execute(named, own)
    rename_models(connection, study, plan.runs)
    _plan_again(connection, plan.missing)
    _plan_jobs(connection, plan, study, trunk)
    add_metrics(connection, plan.evals.metrics())


@dataclass(frozen=True)
class Taken:
    """How many imported runs are new, and the names of those that the study has of an earlier file of that name."""

    new: int
    left: Sequence[str]


def take_in_others(connection: Connection, foreign: Sequence[Foreign], study: str, origin: str) -> Taken:
    """Write down runs of other people, and their metrics beside others that the study has of them.

    Raises Refusal where a planned study has that name, and where a metric differs from one of the store in its capitals
    alone.
    """
    names = dict.fromkeys(name for run in foreign for name in run.metrics)
    _can_stand_beside(connection, names, study, origin)
    rows_before = connection.execute(select(imports).where(imports.c.study == study))
    stored = {row.id: (row.name, row.labels) for row in rows_before}
    foreign = steady(_apart(connection, foreign, study), stored)
    before = set(connection.scalars(select(imports.c.id)))
    add_metrics(connection, names)
    unknown = dict.fromkeys(column.name for column in imports.columns if column.nullable)
    shared = {**unknown, "study": study, "origin": origin, "at": now()}
    new = ({**shared, "id": run.id, **run.columns, "labels": json.dumps(dict(run.labels))} for run in foreign)
    _upsert(connection, imports, "id", new)
    out = [{"run": run.id} for run in foreign if run.excluded and run.id not in before]
    if out:
        exclude = update(imports).where(imports.c.id == bindparam("run"))
        connection.execute(exclude.values(excluded=True, reason=f"excluded in {origin}"), out)
    number = _numbers(connection, imports)
    metric = {row.name: row.id for row in connection.execute(select(metrics.c.name, metrics.c.id))}
    for batch in _parts(foreign):
        connection.execute(
            _EARLIER, [{"number": number[run.id], "id": metric[name]} for run in batch for name in names]
        )
        if values := list(_values(batch, number, metric)):
            connection.execute(insert(imported), values)
    _settings_now(connection, foreign, number, metric)
    ids = {run.id for run in foreign}
    same_file = select(imports.c.id, imports.c.name).where(imports.c.study == study, imports.c.origin == origin)
    left = [row.name for row in connection.execute(same_file.order_by(imports.c.number)) if row.id not in ids]
    return Taken(len(ids - before), left)


def _settings_now(
    connection: Connection, foreign: Sequence[Foreign], number: Mapping[str, int], metric: Mapping[str, int]
) -> None:
    """Delete the values of metrics that an earlier import took for such and this one says are settings."""
    old = [{"number": number[run.id], "id": metric[name]} for run in foreign for name in run.labels if name in metric]
    if old:
        connection.execute(_EARLIER, old)
        _drop_unused(connection, {row["id"] for row in old})


def _parts(whole: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield parts: the rows of all at once would take a hundred times the memory of the file that they come from."""
    items = iter(whole)
    while part := list(islice(items, PART)):
        yield part


def _values(foreign: Sequence[Foreign], number: Mapping[str, int], metric: Mapping[str, int]) -> Iterator[rows.Row]:
    for run in foreign:
        for name, value in run.metrics.items():
            row = {"run": number[run.id], "metric": metric[name], "value": value}
            yield {**row, "test_images": run.test_images.get(name)}


def take_back(connection: Connection, study: str) -> int:
    """Delete the runs of other people in a study, and the metrics that nothing else has; return how many runs they are.

    The view `points` is made anew, also where an earlier version gave it more columns than SQLite reads.
    Raises NotFound where no import has that name.
    """
    names = list(connection.scalars(select(imports.c.study).distinct()))
    if study not in names:
        listed = ", ".join(names) or "none"
        raise NotFound(f"{study} is no study of imported runs; this store has {listed}.")
    ours = select(imports.c.number).where(imports.c.study == study)
    mine = select(imported.c.metric).where(imported.c.run.in_(ours)).distinct()
    candidates = list(connection.scalars(mine))
    connection.execute(delete(imported).where(imported.c.run.in_(ours)))
    number = connection.execute(delete(imports).where(imports.c.study == study)).rowcount
    _drop_unused(connection, candidates)
    return number


def _drop_unused(connection: Connection, candidates: Iterable[int]) -> None:
    """Delete those of some metrics that nothing has any more, and make the views anew."""
    used = {*connection.scalars(select(imported.c.metric).union(select(measurements.c.metric)))}
    unused = [{"unused": metric} for metric in candidates if metric not in used]
    if unused:
        connection.execute(delete(metrics).where(metrics.c.id == bindparam("unused")), unused)
    create_views(connection)


def _can_stand_beside(connection: Connection, names: Iterable[str], study: str, origin: str) -> None:
    """Raise Refusal for the name of a study or of a metric under which the store has something else."""
    if study in connection.scalars(select(studies.c.name)):
        raise Refusal(f"{study} is a study that this store plans: give the runs of {origin} another name by --study.")
    known = list(connection.scalars(select(metrics.c.name)))
    for name in names:
        if namesake := alike(name, known):
            raise Refusal(f"{origin}: its {name} and {namesake} of the store {CAPITALS}. Rename it in the file.")


def _apart(connection: Connection, foreign: Sequence[Foreign], study: str) -> list[Foreign]:
    """Runs with ids that no other study has: two papers may well have runs of the same settings."""
    taken = set(connection.scalars(select(imports.c.id).where(imports.c.study != study)))
    return [_renamed(run, study) if run.id in taken else run for run in foreign]


def _renamed(run: Foreign, study: str) -> Foreign:
    return replace(run, id=hashlib.sha256(f"{study} {run.id}".encode()).hexdigest()[:12])


def bury(connection: Connection) -> None:
    """Put down as lost what an earlier launcher left running; only the holder of the lock can know that it ended."""
    live, reason = (AttemptState.STARTING, AttemptState.RUNNING), "its launcher ended"
    lost = update(attempts).where(attempts.c.state.in_(live))
    connection.execute(lost.values(state=AttemptState.LOST, reason=reason, ended=now()))
    connection.execute(update(jobs).where(jobs.c.state == JobState.RUNNING).values(state=JobState.STOPPED))
    left = update(runs).where(runs.c.state == RunState.RUNNING)
    connection.execute(left.values(state=RunState.STOPPED, reason=reason))


def add_metrics(connection: Connection, names: Iterable[str]) -> None:
    """Give the view `points` a column for each metric that it has none for; raises Refusal where it has no room."""
    known = set(connection.scalars(select(metrics.c.name)))
    new = [name for name in names if name not in known]
    if not new:
        return
    room = most_metrics() - len(known)
    if len(new) > room:
        text = f"A store has room for {most_metrics():,} metrics, of which this one has {len(known):,}."
        surplus = few(new[max(0, room) :])
        raise Refusal(f"{text} Too many are {surplus}. Leave out columns or evaluations, or use another store.")
    connection.execute(insert(metrics), [{"name": name} for name in new])
    create_views(connection)


def _study(connection: Connection, name: str, document: str, fits: str) -> int:
    latest = connection.scalar(select(func.max(studies.c.planned)).where(studies.c.name != name))
    planned = now()
    if latest is not None and planned <= latest:  # the clock was set back: this one is the last all the same
        planned = latest + timedelta(microseconds=1)
    row = {"name": name, "document": document, "fits": fits, "planned": planned}
    _upsert(connection, studies, "name", [row])
    return int(connection.execute(select(studies.c.number).where(studies.c.name == name)).scalar_one())


def _plan_jobs(connection: Connection, plan: Plan, study: int, trunk: Mapping[str, int]) -> None:
    """Put the plan's jobs in place of those of earlier plans that never began."""
    connection.execute(delete(jobs).where(jobs.c.study == study, jobs.c.id.not_in(select(attempts.c.job))))
    run = _numbers(connection, runs)
    shared = {"study": study, "state": JobState.PLANNED}
    new = ({**shared, **rows.of_job(job), "trunk": trunk[job.trunk], "run": run.get(job.owner)} for job in plan.jobs)
    _upsert(connection, jobs, "id", new)


def _upsert(
    connection: Connection, table: Table, key: str, new: Iterable[rows.Row], keep: Collection[str] = ()
) -> None:
    """Insert rows or, where their key is known, bring all but the columns `keep` up to date."""
    for part in _parts(new):
        statement = insert(table)
        changed = {name: statement.excluded[name] for name in part[0].keys() - {*keep}}
        connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=changed), part)


def _plan_again(connection: Connection, missing: Iterable[PlannedRun]) -> None:
    again = update(runs).where(runs.c.id == bindparam("run"), runs.c.state != RunState.DONE)
    again = again.values(state=RunState.PLANNED, kind="", reason=bindparam("why"))
    for part in _parts(missing):
        connection.execute(again, [{"run": run.id, "why": run.reason} for run in part])


def _numbers(connection: Connection, table: Table) -> dict[str, int]:
    return {row.id: row.number for row in connection.execute(select(table.c.id, table.c.number))}
