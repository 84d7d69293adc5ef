"""Runs by the words that people use for them."""

from collections.abc import Sequence
from difflib import get_close_matches

from sqlalchemy import Connection, inspect, select

from orchestrator.exits import NotFound
from orchestrator.tables import imports, runs


def ids(connection: Connection, words: Sequence[str], *, imported: bool = False) -> list[str]:
    """Return the ids of the runs that words name: an id, the unique beginning of one, or the name of one run.

    Raises NotFound, with what may have been meant, where a word names none or several.
    """
    tables = [runs, imports] if imported and inspect(connection).has_table(imports.name) else [runs]
    names: dict[str, str] = {}
    for table in tables:
        names |= {
            row.id: row.name for row in connection.execute(select(table.c.id, table.c.name).order_by(table.c.number))
        }
    return [_id(names, word) for word in words]


def _id(names: dict[str, str], word: str) -> str:
    found = [run for run in names if run == word] or [run for run, name in names.items() if name == word]
    found = found or [run for run in names if word and run.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{run} ({names[run]})" for run in found[:5])
        raise NotFound(f"{word!r} names {len(found)} runs: {several}{', ...' * (len(found) > 5)}. Give the id of one.")
    close = get_close_matches(word, [*names.values(), *names], n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise NotFound(f"the store has no run {word!r}.{meant} scalectl status --runs lists them.")


def in_states(connection: Connection, among: Sequence[str] | None, states: Sequence[str]) -> list[str]:
    """Return the listed runs that are in one of the states; `among` these, where it is given."""
    query = select(runs.c.id).where(runs.c.state.in_(states), runs.c.listed).order_by(runs.c.number)
    found = list(connection.scalars(query))
    return found if among is None else [run for run in among if run in set(found)]
