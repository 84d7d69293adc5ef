"""Studies by their names, runs by their states, and what runs wait for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.tables import imports, jobs, members, runs, studies
from scalectl.orchestrator.vocabulary import JobState, RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.fits import Fit

# of a run in a study: its name is that of the study planned last, and begins with that one's name of the model
name_there: ColumnElement[str] = members.c.model + func.substr(runs.c.name, func.length(runs.c.model) + 1)
UNFINISHED = (RunState.PLANNED, RunState.STOPPED, RunState.FAILED)


@dataclass(frozen=True)
class Study:
    """A study: by the ids of its runs its names of their models, and of them, and the laws that its last launch wanted.

    Another study may have other names for the same runs.
    """

    name: str
    runs: Mapping[str, str]
    names: Mapping[str, str]
    fits: "Mapping[str, Fit]"


def study(connection: Connection, store: Path, name: str | None = None) -> Study:
    """The study of this name or, without one, the one planned last, or else the one imported last.

    Raises NotFound where there is none.
    """
    latest = studies.c.planned.desc(), studies.c.number.desc()
    planned = connection.execute(select(studies).order_by(*latest)).all()
    for row in planned:
        if name in (None, row.name):
            return _planned(connection, row)
    for other in _imported(connection):
        if name in (None, other):
            listed = select(imports.c.id, imports.c.name, imports.c.model).where(imports.c.study == other)
            rows = connection.execute(listed).all()
            return Study(other, {run.id: run.model for run in rows}, {run.id: run.name for run in rows}, {})
    lacking = "no study"
    if name:
        lacking += f" {name!r}"
    raise NotFound(f"{store} has {lacking}; it has {', '.join(names(connection)) or 'none yet'}.")


def names(connection: Connection) -> list[str]:
    """The studies, those that were planned and then those that were imported, each the last first."""
    planned = select(studies.c.name).order_by(studies.c.planned.desc(), studies.c.number.desc())
    return list(dict.fromkeys([*connection.scalars(planned), *_imported(connection)]))


def _imported(connection: Connection) -> list[str]:
    last = func.max(imports.c.at).desc()
    return list(connection.scalars(select(imports.c.study).group_by(imports.c.study).order_by(last)))


def _planned(connection: Connection, row: Row[Any]) -> Study:
    from scalectl.orchestrator.store.fits import fits_of  # only here: pydantic takes half a second

    listed = select(runs.c.id, members.c.model, name_there.label("name")).join_from(members, runs)
    rows = connection.execute(listed.where(members.c.study == row.number)).all()
    models = {run.id: run.model for run in rows}
    return Study(row.name, models, {run.id: run.name for run in rows}, fits_of(row.fits))


def in_states(connection: Connection, among: Sequence[str] | None, states: Sequence[RunState]) -> list[str]:
    """The listed runs that are in one of the states; `among` these, where it is given."""
    query = select(runs.c.id).where(runs.c.state.in_(states), runs.c.listed).order_by(runs.c.number)
    return _among(among, connection.scalars(query))


def to_evaluate(connection: Connection, among: Sequence[str] | None) -> list[str]:
    """The listed runs that are done and have a job that isn't: new evaluations; `among` these, where given."""
    open_jobs = select(jobs.c.run).where(jobs.c.state.in_((JobState.PLANNED, JobState.RUNNING)))
    query = select(runs.c.id).where(runs.c.state == RunState.DONE, runs.c.listed, runs.c.number.in_(open_jobs))
    return _among(among, connection.scalars(query.order_by(runs.c.number)))


def _among(among: Sequence[str] | None, listed: Iterable[str]) -> list[str]:
    names = dict.fromkeys(listed)
    if among is None:
        return [*names]
    return [run for run in among if run in names]


def jobs_of(number: int, trunk: int, branch: int) -> ColumnElement[bool]:
    """The condition on jobs that the run of this number can't end without; it leaves its trunk at step `branch`."""
    stretch = and_(jobs.c.trunk == trunk, jobs.c.run.is_(None), jobs.c.stop <= branch)
    return or_(jobs.c.run == number, stretch)


class Waits:
    """The jobs of a store that aren't done, and what each run that isn't done waits for among them."""

    def __init__(self, connection: Connection, *, launched: bool) -> None:
        self._launched = launched
        self._stretches: dict[int, list[Row[Any]]] = defaultdict(list)
        todo: Select[Any] = select(jobs.c.name, jobs.c.trunk, jobs.c.stop, jobs.c.state)
        todo = todo.where(jobs.c.run.is_(None), jobs.c.state != JobState.DONE).order_by(jobs.c.start)
        for job in connection.execute(todo):
            self._stretches[job.trunk].append(job)
        last = select(studies.c.number).order_by(studies.c.planned.desc(), studies.c.number.desc()).limit(1)
        live = (JobState.PLANNED, JobState.RUNNING)
        ending = select(jobs.c.id).where(jobs.c.run.is_not(None), jobs.c.state.in_(live))
        self._endings = {*connection.scalars(ending.where(jobs.c.study == last.scalar_subquery()))}  # of this launch

    def why(self, run: str, state: RunState, trunk: int, branch: int, reason: str) -> str:
        """Name what a run of this id and state, which branches off its trunk at `branch`, waits for; or nothing."""
        if state not in UNFINISHED:
            return ""
        if self._launched and state is RunState.PLANNED and run in self._endings:
            return self._slot([job for job in self._stretches[trunk] if job.stop <= branch])
        if self._launched and state is RunState.PLANNED:
            return "a launch of a file that has it"
        if reason:
            return f"a launch: {reason}"
        return "a launch"

    def _slot(self, stretches: Sequence[Row[Any]]) -> str:
        """Name what a planned run waits for while a launch is running, given the stretches that it needs."""
        for job in stretches:
            if job.state is JobState.RUNNING:
                return f"{job.name}, which trains"
        if stretches:
            return f"{stretches[0].name}, which waits for a slot"
        return "a slot"
