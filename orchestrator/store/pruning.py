"""What a store keeps that nobody needs: runs that a study should no longer have, and checkpoints."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.store import artifacts
from scalectl.orchestrator.store.attempts import note
from scalectl.orchestrator.store.known import inside
from scalectl.orchestrator.store.runs import name_there
from scalectl.orchestrator.store.sharing import share_trunks
from scalectl.orchestrator.store.tables import attempts, checkpoints, jobs, members, runs, studies
from scalectl.orchestrator.vocabulary import ENDED, RunState

PRUNED, SPARE, UNUSED = "not in the file", "spare of a finished job", "branch point of no run"


@dataclass(frozen=True)
class PrunedRun:
    """A run that leaves its study; what was measured of it stays in the store."""

    number: int
    id: str
    name: str
    state: RunState


@dataclass(frozen=True)
class Surplus:
    """A checkpoint that nobody needs, and why; `name` is that of its run or trunk."""

    path: str
    name: str
    reason: str
    size: int  # bytes


@dataclass(frozen=True)
class Pruning:
    """What is to leave a store."""

    study: str
    runs: tuple[PrunedRun, ...]
    checkpoints: tuple[Surplus, ...]

    @property
    def size(self) -> int:
        """The bytes of the checkpoints."""
        return sum(checkpoint.size for checkpoint in self.checkpoints)

    def __bool__(self) -> bool:
        return bool(self.runs or self.checkpoints)


def pruning(connection: Connection, study: str, kept: Collection[str], folder: str) -> Pruning:
    """What leaves a store where a study keeps these of its runs, by their ids, and `folder` has its artifacts.

    Raises NotFound where the store has no such study.
    """
    number = connection.scalars(select(studies.c.number).where(studies.c.name == study)).one_or_none()
    if number is None:
        known = ", ".join(connection.scalars(select(studies.c.name))) or "none"
        raise NotFound(f"the store has no study {study!r} to prune; it has {known}.")
    own = select(runs.c.number, runs.c.id, runs.c.name, runs.c.state).join_from(members, runs)
    listed = connection.execute(own.where(members.c.study == number).order_by(runs.c.number)).all()
    leaving = tuple(PrunedRun(*run) for run in listed if run.id not in kept)
    elsewhere = set(connection.scalars(select(members.c.run).where(members.c.study != number)))
    gone = {run.number for run in leaving} - elsewhere
    return Pruning(study, leaving, tuple(_surplus(connection, gone, folder)))


def _surplus(connection: Connection, gone: Collection[int], folder: str) -> Iterator[Surplus]:
    """Yield the checkpoints that no run of any study needs once the runs of these numbers have left."""
    live = [run for run in connection.execute(select(runs).where(runs.c.listed)) if run.number not in gone]
    trunks: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for run in live:
        trunks[run.trunk].append(run)
    by_number = {run.number: run for run in live}
    query = (
        select(checkpoints, jobs.c.run_name).join_from(checkpoints, jobs).order_by(jobs.c.run_name, checkpoints.c.step)
    )
    rows = connection.execute(query).all()
    steps: defaultdict[int, list[int]] = defaultdict(list)  # of the branch points of each trunk
    for row in rows:
        if row.run is None and row.kept:
            steps[row.trunk].append(row.step)
    for row in rows:
        if row.run is None:
            reason = _reason_on_trunk(row, trunks[row.trunk], steps[row.trunk])
        else:
            reason = _reason_of_run(row, by_number)
        if reason and _is_own(row, folder):
            yield Surplus(row.path, row.run_name, reason, artifacts.size(row.path))


def _is_own(checkpoint: Row[Any], folder: str) -> bool:
    """Tell whether a path is that of a checkpoint in the folder of the artifacts: nothing else is ever removed."""
    parent, _, name = checkpoint.path.rpartition("/")
    return name == str(checkpoint.step) and inside(parent, folder)


def _reason_of_run(checkpoint: Row[Any], live: Mapping[int, Row[Any]]) -> str:
    """Why a checkpoint of a run isn't needed; empty where it is: its end, or what an unfinished run goes on from."""
    if checkpoint.run not in live:
        return PRUNED
    if not checkpoint.kept and live[checkpoint.run].state is RunState.DONE:
        return SPARE
    return ""


def _reason_on_trunk(checkpoint: Row[Any], live: Sequence[Row[Any]], steps: Sequence[int]) -> str:
    """Why a checkpoint of a trunk isn't needed; empty where a run branches off there, or still has to go on from it."""
    if not live:
        return PRUNED
    branches = {run.steps - run.cooldown for run in live}
    unfinished = {run.steps - run.cooldown for run in live if run.state not in ENDED}
    if not checkpoint.kept:
        if any(branch > checkpoint.step for branch in unfinished):
            return ""
        return SPARE
    origins = {max((step for step in steps if step <= branch), default=0) for branch in unfinished}
    if checkpoint.step in branches | origins:
        return ""
    return UNUSED


def forget_runs(connection: Connection, found: Pruning) -> None:
    """Take runs out of their study, with the jobs that never began; rows of what was measured stay."""
    study = connection.scalars(select(studies.c.number).where(studies.c.name == found.study)).one()
    numbers = [run.number for run in found.runs]
    connection.execute(delete(members).where(members.c.study == study, members.c.run.in_(numbers)))
    for number in numbers:
        other = select(members.c.study, members.c.model, name_there.label("name")).join_from(members, runs)
        belongs = connection.execute(other.where(members.c.run == number).limit(1)).mappings().one_or_none()
        now = belongs or {"listed": False}
        connection.execute(update(runs).where(runs.c.number == number).values(**now))
    share_trunks(connection)
    unbegun = delete(jobs).where(jobs.c.run.in_(numbers), jobs.c.id.not_in(select(attempts.c.job)))
    connection.execute(unbegun.where(jobs.c.study == study))
    left = counted(len(numbers), "run")
    note(connection, "pruned", f"{found.study}: {left} left the study; what was measured is kept")


def forget_checkpoints(connection: Connection, found: Pruning, removed: Collection[str]) -> None:
    """Delete the rows of checkpoints that were removed from these paths."""
    for path in removed:
        connection.execute(delete(checkpoints).where(checkpoints.c.path == path))
    note(connection, "pruned", f"{found.study}: removed {counted(len(removed), 'checkpoint')} that nobody needs")
