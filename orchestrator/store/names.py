"""Runs by the words that people use for them: an id, a name, the beginning of either, or a name of earlier versions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from sqlalchemy import Connection, Table, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.runs import name_there
from scalectl.orchestrator.store.tables import TRAINED, imports, members, runs
from scalectl.trainer.spec import RecipeSpec, spec_fields

_SHOWN = 5  # of the runs that a word may mean
_SWEPT = tuple(setting.name for setting in spec_fields(RecipeSpec) if setting.swept)


def ids(connection: Connection, words: Sequence[str], *, imported: bool = False) -> list[str]:
    """The ids of the runs that words name: an id, a name, or the unique beginning of either.

    Raises NotFound, with what may have been meant, where a word names none or several, and for an imported run unless
    these are meant as well.
    """
    own, foreign = _names(connection, runs), _names(connection, imports)
    if imported:
        return [_id(connection, own | foreign, word) for word in words]
    for word in words:
        if _matching(connection, foreign, word) and not _matching(connection, own, word):
            raise NotFound(f"{word!r} is an imported run, which has no jobs. scalectl show {word} tells what is known.")
    return [_id(connection, own, word) for word in words]


ALL = "*"  # in a request: all runs of the launch


def requested(words: Collection[str], names: Mapping[str, str]) -> frozenset[str]:
    """The ids of the runs that a request to a launch means, given the names of its runs by their ids.

    A word that names none of them, or several, is taken for the id of another run.
    """
    meant = [_exactly(names, word) or _beginning(names, word) for word in words]
    ids = {matching[0] if len(matching) == 1 else word for word, matching in zip(words, meant, strict=True)}
    if ALL in words:
        ids |= names.keys()
    return frozenset(ids - {ALL})


def _names(connection: Connection, table: Table) -> dict[str, str]:
    rows = connection.execute(select(table.c.id, table.c.name).order_by(table.c.number))
    return {row.id: row.name for row in rows}


def _matching(connection: Connection, names: Mapping[str, str], word: str) -> list[str]:
    """The ids of the runs that a word names, by the most exact of its meanings that names any."""
    others = (run for run in (*_elsewhere(connection, word), *_formerly(connection, word)) if run in names)
    return _exactly(names, word) or [*dict.fromkeys(others)] or _beginning(names, word)


def _exactly(names: Mapping[str, str], word: str) -> list[str]:
    if word in names:
        return [word]
    return [run for run, name in names.items() if name == word]


def _beginning(names: Mapping[str, str], word: str) -> list[str]:
    return [run for run, name in names.items() if word and (run.startswith(word) or name.startswith(word))]


def _elsewhere(connection: Connection, word: str) -> Iterable[str]:
    """The ids of the runs that some study calls by a word."""
    return connection.scalars(select(runs.c.id).join_from(members, runs).where(name_there == word))


def _formerly(connection: Connection, word: str) -> Iterable[str]:
    """Yield the ids of the runs that earlier versions called by a word, such as nano-350-200-s0-lr0.003.

    These names had every seed and every swept setting, but nothing tells which settings were swept.
    """
    rows = select(*(runs.c[name] for name in ("id", "model", "data_size", "steps", "seed", *_SWEPT)))
    for row in connection.execute(rows.order_by(runs.c.number)):
        stem = f"{row.model}-{row.data_size}-{row.steps}-s{row.seed}"
        if not word.startswith(stem):
            continue
        rest = word.removeprefix(stem)
        for setting in _SWEPT:
            rest = rest.removeprefix(f"-{setting}{row._mapping[setting]}")
        if not rest:
            yield row.id


def _differences(connection: Connection, matching: Sequence[str]) -> dict[str, str]:
    """The settings in which some runs differ, in words, by id: what tells runs of one name apart."""
    query = select(runs.c.id, *(runs.c[name] for name in TRAINED)).where(runs.c.id.in_(matching))
    rows = connection.execute(query).mappings().all()
    differing = [name for name in TRAINED if len({row[name] for row in rows}) > 1]
    return {row["id"]: "".join(f", {name} {row[name]}" for name in differing) for row in rows}


def _id(connection: Connection, names: Mapping[str, str], word: str) -> str:
    matching = _matching(connection, names, word)
    if len(matching) == 1:
        return matching[0]
    if matching:
        apart = _differences(connection, matching)
        several = ", ".join(f"{run} ({names[run]}{apart.get(run, '')})" for run in matching[:_SHOWN])
        if len(matching) > _SHOWN:
            several += ", ..."
        raise NotFound(f"{word!r} names {len(matching)} runs: {several}. Give more of the name, or the id of one.")
    meant = "".join(f" Did you mean {close!r}?" for close in get_close_matches(word, [*names.values(), *names], n=1))
    raise NotFound(f"the store has no run {word!r}.{meant} scalectl status --runs lists those that are no imports.")
