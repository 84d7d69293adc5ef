"""Answers and tables as JSON: floats as Python writes them, with all of their digits, and null for what isn't known."""

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PLAIN = {str, int, bool, type(None)}  # types of which JSON has every value
_NESTED = {dict, list, tuple}


def known(document: Any) -> Any:
    """A JSON document with None in place of every number that is not finite, which JSON doesn't have."""
    if isinstance(document, dict):
        return {name: value if type(value) in _PLAIN else known(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [
            value if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)) else known(value)
            for value in document
        ]
    if isinstance(document, float) and not math.isfinite(document):
        return None
    return document


def written(document: Any) -> str:
    """A JSON document of lists, dicts and plain values as `json.dumps` writes it with an indent of 1.

    What holds no other lists is written at once: Python's own writer of indents takes ten times as long.
    """
    return _written(document, "\n")


def written_as_known(document: Any) -> str:
    """The same with null for every number that is not finite; most have none, so they are looked for only then."""
    try:
        return written(document)
    except ValueError:
        return written(known(document))


def _written(document: Any, line: str) -> str:
    inner = line + " "
    if not document or not isinstance(document, dict | list | tuple):
        return json.dumps(document, allow_nan=False)
    if _is_flat(document):
        text = _writer(inner).encode(document)
        return f"{text[0]}{inner}{text[1:-1]}{line}{text[-1]}"
    if isinstance(document, dict):
        parts = (f"{json.dumps(name)}: {_written(value, inner)}" for name, value in document.items())
        return f"{{{inner}{f',{inner}'.join(parts)}{line}}}"
    if len(set(map(type, document))) == 1 and _is_table(document):
        return _table(document, line)
    return f"[{inner}{f',{inner}'.join(_written(value, inner) for value in document)}{line}]"


def _table(rows: list[Any] | tuple[Any, ...], line: str) -> str:
    """Rows that are all lists of one length, or all dicts of the same names, of plain values: column by column."""
    inner, cell = line + " ", line + "  "
    begin, end, names = "[", "]", [""] * len(rows[0])
    if isinstance(rows[0], dict):
        begin, end, names = "{", "}", [f"{json.dumps(name)}: " for name in rows[0]]
        rows = [row.values() for row in rows]
    columns = [_texts(name, column, cell) for name, column in zip(names, zip(*rows, strict=True), strict=True)]
    body = f"{inner}{end},{inner}{begin}{cell}".join(map(f",{cell}".join, zip(*columns, strict=True)))
    return f"[{inner}{begin}{cell}{body}{inner}{end}{line}]"


def _texts(name: str, column: Sequence[Any], cell: str) -> list[str]:
    """The values of a column behind their name; equal ones, as branches of a trunk have, are written once."""
    each = dict.fromkeys(column)
    alike = len(set(map(type, column))) == 1 and 0 not in each  # 0.0 equals -0.0, and 1 True
    texts = (
        _writer(cell).encode([*(each if alike else column)])[1:-1].split(f",{cell}")
    )  # no text has a line break in it
    texts = [name + text for text in texts]
    if not alike:
        return texts
    text_of = dict(zip(each, texts, strict=True))
    return [text_of[value] for value in column]


def _is_flat(document: Any) -> bool:
    if isinstance(document, dict):
        return _NESTED.isdisjoint(map(type, document.values()))
    return isinstance(document, list | tuple) and _NESTED.isdisjoint(map(type, document))


def _is_table(rows: list[Any] | tuple[Any, ...]) -> bool:
    """Whether rows of one type all have the same columns, at least one, and plain values."""
    if not rows[0] or not isinstance(rows[0], dict | list | tuple):
        return False
    values: Iterable[Any] = rows
    if isinstance(rows[0], dict):
        values = (row.values() for row in rows)
    columns = {tuple(row) if isinstance(row, dict) else len(row) for row in rows}
    return len(columns) == 1 and _NESTED.isdisjoint(map(type, chain.from_iterable(values)))


@cache
def _writer(line: str) -> json.JSONEncoder:
    return json.JSONEncoder(allow_nan=False, separators=(f",{line}", ": "))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON objects, one a row."""
    names = [str(name) for name in table.columns]
    return [dict(zip(names, row, strict=True)) for row in rows(table)]


def rows(table: pd.DataFrame) -> list[list[Any]]:
    """The values of a table, row by row, with None for what is missing or not finite."""
    columns = [plain_values(column) for _, column in table.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def plain_values(column: "pd.Series[Any]") -> list[Any]:
    """The values of a column, with None for what is missing or not finite."""
    values: list[Any] = column.tolist()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "bi":
        return values
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return _without(values, ~np.isfinite(column.to_numpy()))
    values = _without(values, column.isna().to_numpy())
    if isinstance(column.dtype, pd.StringDtype):
        return values
    return [known(value) for value in values]


def _without(values: list[Any], missing: NDArray[np.bool_]) -> list[Any]:
    for place in np.flatnonzero(missing):
        values[place] = None
    return values
