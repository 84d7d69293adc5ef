"""Whether a store, its artifacts and the locks of its workers say the same, and what of that may be mended."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from scalectl.orchestrator.format import counted, few
from scalectl.orchestrator.store.lock import holder
from scalectl.orchestrator.store.requests import open_requests
from scalectl.orchestrator.store.tables import attempts, checkpoints, jobs, runs, trunks
from scalectl.orchestrator.vocabulary import AttemptState, JobState, RunState
from scalectl.trainer import flock
from scalectl.trainer.data.storage import remote

_KINDS = ("trunks", "runs")  # folders of the artifacts
_SHOWN = 3  # names of a finding


@dataclass(frozen=True)
class Inconsistency:
    """Something that doesn't fit together; with a `remedy` that --repair carries out, or `advice` for people."""

    text: str
    remedy: str = ""
    advice: str = ""
    lost: tuple[str, ...] = ()  # paths of checkpoints whose rows are to go


def inconsistencies(connection: Connection, store: Path) -> list[Inconsistency]:
    """What doesn't fit together between a store, the folders of its checkpoints, and the locks of its workers.

    What a launch has under way isn't looked at while it works. Checkpoints in buckets are not looked at.
    """
    paths = [
        path for path in connection.scalars(select(checkpoints.c.path).where(checkpoints.c.kept)) if not remote(path)
    ]
    problems = [*_lost(paths), *_unknown(connection, paths)]
    if holder(store) is None:
        problems += [*_cut_off(connection), *_requests(store), *_leases(connection)]
    return problems


def _lost(paths: list[str]) -> Iterator[Inconsistency]:
    """Yield for each folder of artifacts the checkpoints that are in the store and no longer on disk."""
    roots = defaultdict[str, list[str]](list)
    for path in paths:
        roots[_root(path)].append(path)
    for root, members in roots.items():
        lost = tuple(path for path in members if not Path(path).exists())
        if lost and len(lost) == len(members):
            advice = "Were the artifacts moved, or is a disk not there? A launch would train these runs again."
            yield Inconsistency(f"none of {counted(len(lost), 'checkpoint')} in {root} is there", advice=advice)
        elif lost:
            text = f"{counted(len(lost), 'checkpoint')} without a folder on disk: {few(lost, _SHOWN)}"
            yield Inconsistency(text, remedy="their rows are removed; a launch trains what needs them", lost=lost)


def _unknown(connection: Connection, paths: list[str]) -> Iterator[Inconsistency]:
    """Yield the folders among the artifacts of runs and trunks that the store doesn't have."""
    known = {*connection.scalars(select(trunks.c.id)), *connection.scalars(select(runs.c.id))}
    folders = [Path(root, kind) for root in {_root(path) for path in paths} for kind in _KINDS]
    surplus = [str(entry) for folder in folders if folder.is_dir() for entry in sorted(folder.iterdir())]
    surplus = [path for path in surplus if Path(path).name not in known and Path(path).is_dir()]
    if surplus:
        advice = "They stay: they may be another store's. Remove them where they aren't."
        text = f"{counted(len(surplus), 'folder')} of checkpoints that no run of the store has: {few(surplus, _SHOWN)}"
        yield Inconsistency(text, advice=advice)


def _cut_off(connection: Connection) -> Iterator[Inconsistency]:
    """Yield what is written down as running, while no launch is."""
    live = attempts.c.state.in_((AttemptState.STARTING, AttemptState.RUNNING))
    number = connection.scalars(select(func.count()).where(live)).one()
    number = max(number, connection.scalars(select(func.count()).where(jobs.c.state == JobState.RUNNING)).one())
    number = max(number, connection.scalars(select(func.count()).where(runs.c.state == RunState.RUNNING)).one())
    if number:
        text = f"{counted(number, 'job')} written down as running, and no launch is"
        yield Inconsistency(text, remedy="they are put down as stopped; a launch goes on from their checkpoints")


def _requests(store: Path) -> Iterator[Inconsistency]:
    if open_requests(store):
        yield Inconsistency("requests to stop that no launch has taken", remedy="they are dropped")


def _leases(connection: Connection) -> Iterator[Inconsistency]:
    """Yield the folders of jobs that a worker still holds, though no launch is running."""
    folders = [folder for folder in connection.scalars(select(jobs.c.folder).distinct()) if not remote(folder)]
    held = [folder for folder in folders if _is_held(folder)]
    if held:
        advice = "Workers of a launch that was killed end within a minute; end a process that doesn't."
        why = "that a worker still writes to, and no launch is running"
        text = f"{counted(len(held), 'folder')} {why}: {few(held, _SHOWN)}"
        yield Inconsistency(text, advice=advice)


def _is_held(folder: str) -> bool:
    """Whether a worker holds the lock of a job's folder (cluster/lease.py)."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not flock.acquire_folder(file, shared=True)
    finally:
        os.close(file)


def _root(path: str) -> str:
    """The folder of artifacts of a checkpoint: what is before `trunks` or `runs`, an id, and a step."""
    for part in Path(path).parents:
        if part.name in _KINDS:
            return str(part.parent)
    return str(Path(path).parent)
