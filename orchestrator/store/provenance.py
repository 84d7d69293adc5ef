"""Where the numbers of a study come from: its file, the code and machines that ran it, and what their time went to."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from scalectl.orchestrator.goodput import ENTRIES, Entries
from scalectl.orchestrator.store.snapshot import PLANNED, planned_study
from scalectl.orchestrator.store.tables import attempts, events, exclusions, imports, jobs, ledger, runs, studies
from scalectl.orchestrator.vocabulary import AttemptState


@dataclass(frozen=True)
class Environment:
    """Attempts of jobs that one revision of the code, with one set of packages, made on one kind of device."""

    revision: str
    device: str
    versions: Mapping[str, str]
    attempts: int
    hosts: int
    first: datetime  # UTC
    last: datetime


@dataclass(frozen=True)
class Loss:
    """Attempts that ended without being done, by how they did."""

    state: AttemptState
    kind: str
    attempts: int
    device_seconds: float


@dataclass(frozen=True)
class LaunchCost:
    """The seconds that the slots of one launch went into, by entry."""

    launch: int
    study: str
    started: datetime  # UTC
    slots: int
    entries: Entries


@dataclass(frozen=True)
class Provenance:
    """The file of a study's last launch, its environments, what was lost, the books of all launches of the store."""

    file: str
    environments: tuple[Environment, ...]
    losses: tuple[Loss, ...]
    launches: tuple[LaunchCost, ...]
    exclusions: Mapping[str, str]  # the reasons, by the id of the run


def provenance(connection: Connection, study: str, among: Collection[str]) -> Provenance:
    """Where the numbers of the runs with these ids come from; an imported study has no file and no environment."""
    file = connection.scalars(select(studies.c.document).where(studies.c.name == study)).first() or ""
    trunks = {trunk for run, trunk in connection.execute(select(runs.c.id, runs.c.trunk)) if run in among}
    return Provenance(
        file,
        _environments(connection, trunks),
        _losses(connection, trunks),
        _launches(connection),
        _exclusions(connection, among),
    )


def _environments(connection: Connection, trunks: Collection[int]) -> tuple[Environment, ...]:
    kind = (attempts.c.revision, attempts.c.device, attempts.c.versions)
    number, hosts = func.count().label("number"), func.count(attempts.c.host.distinct()).label("hosts")
    time = (func.min(attempts.c.started).label("first"), func.max(attempts.c.started).label("last"))
    query = select(*kind, number, hosts, *time).join_from(attempts, jobs).where(attempts.c.device != "")
    rows = connection.execute(query.where(jobs.c.trunk.in_(trunks)).group_by(*kind).order_by("first"))
    return tuple(
        Environment(row.revision, row.device, _versions(row.versions), row.number, row.hosts, row.first, row.last)
        for row in rows
    )


def _versions(text: str) -> dict[str, str]:
    """The versions of packages as an attempt wrote them down, or none where it didn't."""
    try:
        versions = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(versions, dict):
        return {}
    return {str(package): str(version) for package, version in versions.items()}


def _losses(connection: Connection, trunks: Collection[int]) -> tuple[Loss, ...]:
    working = (AttemptState.DONE, AttemptState.STARTING, AttemptState.RUNNING)
    end = (attempts.c.state, attempts.c.kind)
    seconds = func.coalesce(func.sum(attempts.c.device_seconds), 0.0)
    query = select(*end, func.count().label("number"), seconds.label("seconds")).join_from(attempts, jobs)
    rows = connection.execute(query.where(jobs.c.trunk.in_(trunks), attempts.c.state.not_in(working)).group_by(*end))
    return tuple(Loss(row.state, row.kind, row.number, row.seconds) for row in rows)


def _launches(connection: Connection) -> tuple[LaunchCost, ...]:
    sums = [func.sum(ledger.c[f"{entry}_seconds"]).label(entry) for entry in ENTRIES]
    told = select(events.c.at, events.c.text).where(events.c.what == PLANNED).order_by(events.c.id.desc())
    planned = connection.execute(told).all()
    begin, slots = func.min(ledger.c.started).label("begin"), func.count().label("slots")
    query = select(ledger.c.launch, begin, slots, *sums).group_by(ledger.c.launch).order_by(ledger.c.launch)
    return tuple(
        LaunchCost(
            row.launch,
            next((planned_study(text) for at, text in planned if at <= row.begin), ""),
            row.begin,
            row.slots,
            {entry: row._mapping[entry] for entry in ENTRIES},
        )
        for row in connection.execute(query)
    )


def _exclusions(connection: Connection, among: Collection[str]) -> dict[str, str]:
    own = select(runs.c.id, exclusions.c.reason).join_from(exclusions, runs)
    foreign = select(imports.c.id, imports.c.reason).where(imports.c.excluded)
    return {run: reason for query in (own, foreign) for run, reason in connection.execute(query) if run in among}
