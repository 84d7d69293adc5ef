"""Runs by the words that people use for them."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from sqlalchemy import ColumnElement, Connection, Table, and_, inspect, or_, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.tables import (
    imports,
    jobs,
    runs,
)


def ids(connection: Connection, words: Sequence[str], *, imported: bool = False) -> list[str]:
    """Return the ids of the runs that words name: an id, the unique beginning of one, or the name of one run.

    Raises NotFound, with what may have been meant, where a word names none or several, and for an imported run unless
    these are meant as well.
    """
    own = _names(connection, runs)
    others = _names(connection, imports) if inspect(connection).has_table(imports.name) else {}
    if imported:
        return [_id(own | others, word) for word in words]
    for word in words:
        if _matching(others, word) and not _matching(own, word):
            raise NotFound(f"{word!r} is an imported run, which has no jobs. scalectl show {word} tells what is known.")
    return [_id(own, word) for word in words]


def _names(connection: Connection, table: Table) -> dict[str, str]:
    found = connection.execute(select(table.c.id, table.c.name).order_by(table.c.number))
    return {row.id: row.name for row in found}


def _matching(names: dict[str, str], word: str) -> list[str]:
    found = [run for run in names if run == word] or [run for run, name in names.items() if name == word]
    return found or [run for run in names if word and run.startswith(word)]


def _id(names: dict[str, str], word: str) -> str:
    found = _matching(names, word)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{run} ({names[run]})" for run in found[:5])
        raise NotFound(f"{word!r} names {len(found)} runs: {several}{', ...' * (len(found) > 5)}. Give the id of one.")
    close = get_close_matches(word, [*names.values(), *names], n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise NotFound(f"the store has no run {word!r}.{meant} scalectl status --runs lists those that are no imports.")


def in_states(connection: Connection, among: Sequence[str] | None, states: Sequence[str]) -> list[str]:
    """Return the listed runs that are in one of the states; `among` these, where it is given."""
    query = select(runs.c.id).where(runs.c.state.in_(states), runs.c.listed).order_by(runs.c.number)
    return _among(among, connection.scalars(query))


def to_evaluate(connection: Connection, among: Sequence[str] | None) -> list[str]:
    """Return the listed runs that are done and have a job that isn't: new evaluations; `among` these, where given."""
    open_jobs = select(jobs.c.run).where(jobs.c.state.in_(("planned", "running")))
    query = select(runs.c.id).where(runs.c.state == "done", runs.c.listed, runs.c.number.in_(open_jobs))
    return _among(among, connection.scalars(query.order_by(runs.c.number)))


def _among(among: Sequence[str] | None, found: Iterable[str]) -> list[str]:
    names = dict.fromkeys(found)
    return [*names] if among is None else [run for run in among if run in names]


def its_jobs(number: int, trunk: int, branch: int) -> ColumnElement[bool]:
    """Return the condition on jobs that a run can't end without."""
    stretch = and_(jobs.c.trunk == trunk, jobs.c.run.is_(None), jobs.c.stop <= branch)
    return or_(jobs.c.run == number, stretch)
