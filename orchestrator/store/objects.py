"""The runs of a JSON document that is no list of them: tables by column or by run, and lists within an object."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scalectl.orchestrator.store.meanings import meaning

DEEPEST = 5  # objects within objects of which the values are read


def flat(document: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the plain values of an object as text; those of objects in it behind their name and a slash."""
    for name, value in document.items():
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from flat(value, f"{prefix}{name}/", depth + 1)
        elif not isinstance(value, list):
            yield f"{prefix}{name}".strip(), cell_of(value)


def cell_of(value: object) -> str:
    """A value as the text of a cell, empty for None."""
    if value is None:
        return ""
    return str(value).strip()


def runs_of(document: Any) -> Sequence[Any]:
    """The objects that are a run each in a document that is a whole file; itself where it has none."""
    if not isinstance(document, dict):
        return [document]
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(_has_cells(row, len(names)) for row in rows):
        return [dict(zip(map(str, names), row, strict=True)) for row in rows]  # pandas' split, and tables of W&B
    tables = [value for value in document.values() if _is_list(value) and value and isinstance(value[0], dict)]
    if len(tables) == 1:
        return list(tables[0])  # {"runs": [...]}, whatever else it has
    columns = list(document.values())
    if len(columns) > 1 and all(map(_is_list, columns)) and len({*map(len, columns)}) == 1:
        return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return _by_name(document, columns)


def _by_name(document: Mapping[str, Any], columns: Sequence[Any]) -> Sequence[Any]:
    """The runs of an object of objects: each is a column, as pandas writes a table, or each is a run of that name."""
    if len(columns) < 2 or not all(isinstance(cells, dict) for cells in columns):
        return [document]
    if not _known(document) and all(map(_known, columns)):
        return [{"name": name, **cells} for name, cells in document.items()]
    if len({tuple(cells) for cells in columns}) > 1:
        return [document]
    return [{name: cells[run] for name, cells in document.items()} for run in columns[0]]


def _known(names: Mapping[str, Any]) -> bool:
    return any(meaning(name) is not None for name in names)


def _has_cells(row: Any, number: int) -> bool:
    return isinstance(row, list) and len(row) == number


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
