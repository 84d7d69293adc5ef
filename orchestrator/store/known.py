"""What the store knows of runs, as the planner asks for it."""

import os
from collections import defaultdict
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, func, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.plan.plan import Known
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.tables import (
    attempts,
    checkpoints,
    jobs,
    members,
    runs,
    studies,
    trunks,
)
from scalectl.orchestrator.vocabulary import AttemptState, JobKind, JobState, RunState
from scalectl.trainer.data.storage import as_path, remote

RECENT = 5  # attempts of a shape on a type of slots that its speed there is taken from
# CROSS JOIN keeps SQLite to this order, in which each is looked up by its key; of itself it reads all measurements
MEASURED = """
SELECT runs.id, metrics.name, measurements.settings FROM runs CROSS JOIN metrics CROSS JOIN measurements
  ON measurements.run = runs.number AND measurements.metric = metrics.id AND measurements.step = runs.steps
"""


def known(path: str | Path, artifacts: str | None = None) -> Known:
    """The store at `path` as a planner asks for it, empty where there is none; raises Unusable for a bad file.

    Of checkpoints only those inside the folder `artifacts`, where it is given: they are read, and moved when damaged.
    """
    try:
        with reading(Path(path)) as connection:
            return Known(
                _states(connection),
                _metrics(connection),
                _checkpoints(connection, artifacts),
                _speeds(connection),
                _listed(connection),
                _failures(connection),
                _overheads(connection),
                _reached(connection, artifacts),
            )
    except NotFound:
        return Known()


def _states(connection: Connection) -> dict[str, RunState]:
    return {row.id: row.state for row in connection.execute(select(runs.c.id, runs.c.state))}


def _failures(connection: Connection) -> dict[str, str]:
    failed = select(runs.c.id, runs.c.kind).where(runs.c.state == RunState.FAILED)
    return {row.id: row.kind for row in connection.execute(failed)}


def _metrics(connection: Connection) -> dict[str, dict[str, str]]:
    """The settings of each metric of a run at its last step."""
    settings_by_run: dict[str, dict[str, str]] = defaultdict(dict)
    for run, name, settings in connection.exec_driver_sql(MEASURED):
        settings_by_run[run][name] = settings
    return dict(settings_by_run)


def _checkpoints(connection: Connection, artifacts: str | None) -> dict[str, dict[int, str]]:
    """The kept ones that are still on disk, by the trunk or run that they belong to."""
    owner = func.coalesce(runs.c.id, trunks.c.id)
    query = (
        select(owner, checkpoints.c.step, checkpoints.c.path)
        .select_from(checkpoints)
        .join(trunks)
        .outerjoin(runs, runs.c.number == checkpoints.c.run)
    )
    paths: dict[str, dict[int, str]] = defaultdict(dict)
    for name, step, path in connection.execute(query.where(checkpoints.c.kept)):
        if _readable(path, artifacts):
            paths[name][step] = path
    return dict(paths)


def _reached(connection: Connection, artifacts: str | None) -> dict[str, int]:
    """The step of the newest checkpoint on disk of each job that hasn't ended."""
    query = select(checkpoints.c.job, checkpoints.c.step, checkpoints.c.path).join(jobs)
    open_jobs = query.where(~checkpoints.c.kept, jobs.c.state != JobState.DONE).order_by(checkpoints.c.step)
    return {job: step for job, step, path in connection.execute(open_jobs) if _readable(path, artifacts)}


def _readable(path: str, artifacts: str | None) -> bool:
    return (artifacts is None or inside(path, artifacts)) and bool(as_path(path).exists())


def inside(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, wherever links and dots lead; both may be addresses such as gs://."""
    if remote(path) or remote(folder):
        return path.startswith(folder.rstrip("/") + "/") and ".." not in path.split("/")
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _speeds(connection: Connection) -> dict[str, dict[str, float]]:
    """Training FLOPs per second of one slot for each shape and type of slot, the one that ran last at the end.

    Compilation and evaluation are left out.
    """
    where = (jobs.c.shape, attempts.c.slot_type)
    order = func.row_number().over(partition_by=where, order_by=attempts.c.id.desc()).label("age")
    trained = (attempts.c.flops > 0) & (attempts.c.device_seconds > 0)
    latest = (
        select(*where, attempts.c.id, attempts.c.flops, attempts.c.device_seconds, order)
        .join_from(attempts, jobs)
        .where(trained)
        .subquery()
    )
    speed = (func.sum(latest.c.flops) / func.sum(latest.c.device_seconds)).label("speed")
    query = select(latest.c.shape, latest.c.slot_type, speed).where(latest.c.age <= RECENT)
    speeds: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for row in connection.execute(query.group_by(latest.c.shape, latest.c.slot_type).order_by(func.max(latest.c.id))):
        speeds[row.shape][row.slot_type] = row.speed
    return dict(speeds)


def _overheads(connection: Connection) -> dict[tuple[str, bool], float]:
    """The median seconds that jobs took beside steps and compiling, by shape and by whether they end a run.

    A median, as the first job of each worker takes as long as that needs to start.
    """
    ends_run = (attempts.c.job_kind != JobKind.TRUNK).label("ends_run")
    where = (jobs.c.shape, ends_run)
    days = func.julianday(attempts.c.ended) - func.julianday(attempts.c.started)
    seconds = 86400 * days - attempts.c.device_seconds - func.coalesce(attempts.c.compile_seconds, 0.0)
    order = func.row_number().over(partition_by=where, order_by=attempts.c.id.desc()).label("age")
    finished = attempts.c.state == AttemptState.DONE
    latest = select(*where, seconds.label("seconds"), order).join_from(attempts, jobs).where(finished).subquery()
    spent: defaultdict[tuple[str, bool], list[float]] = defaultdict(list)
    for row in connection.execute(select(latest).where(latest.c.age <= RECENT, latest.c.seconds.is_not(None))):
        spent[row.shape, bool(row.ends_run)].append(row.seconds)
    return {kind: max(0.0, median(values)) for kind, values in spent.items()}


def _listed(connection: Connection) -> dict[str, set[str]]:
    """The runs of each study."""
    listed: defaultdict[str, set[str]] = defaultdict(set)
    joined = members.join(studies).join(runs, runs.c.number == members.c.run)
    query = select(studies.c.name, runs.c.id).select_from(joined)
    for study, run in connection.execute(query):
        listed[study].add(run)
    return dict(listed)
