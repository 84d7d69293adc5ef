"""Answers and tables as JSON: floats as Python writes them, with all of their digits, and null for what isn't known."""

import json
import math
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
    """Rows that are all lists or all dicts, of plain values; no text of JSON has a line break in it."""
    inner, cell = line + " ", line + "  "
    text = _writer(cell).encode(rows)
    begin, end = text[1], text[-2]
    body = text[2:-2].replace(f"{end},{cell}{begin}", f"{inner}{end},{inner}{begin}{cell}")
    return f"[{inner}{begin}{cell}{body}{inner}{end}{line}]"


def _is_flat(document: Any) -> bool:
    if isinstance(document, dict):
        return _NESTED.isdisjoint(map(type, document.values()))
    return isinstance(document, list | tuple) and _NESTED.isdisjoint(map(type, document))


def _is_table(rows: list[Any] | tuple[Any, ...]) -> bool:
    """Whether rows of one type all hold plain values, and something."""
    if isinstance(rows[0], dict):
        return all(row and _is_flat(row) for row in rows)
    return isinstance(rows[0], list | tuple) and all(rows) and _NESTED.isdisjoint(map(type, chain.from_iterable(rows)))


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
