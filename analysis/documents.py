"""Answers and tables as JSON: floats as Python writes them, with all of their digits, and null for what isn't known."""

import math
from typing import Any

import numpy as np
import pandas as pd


def known(document: Any) -> Any:
    """A JSON document with None in place of every number that is not finite, which JSON doesn't have."""
    if isinstance(document, dict):
        return {name: known(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [known(value) for value in document]
    if isinstance(document, float) and not math.isfinite(document):
        return None
    return document


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON objects, one a row."""
    names = [str(name) for name in table.columns]
    return [dict(zip(names, row, strict=True)) for row in rows(table)]


def rows(table: pd.DataFrame) -> list[list[Any]]:
    """The values of a table, row by row, with None for what is missing or not finite."""
    columns = [_values(column) for _, column in table.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def _values(column: "pd.Series[Any]") -> list[Any]:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "bi":
        return column.tolist()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return column.astype(object).where(np.isfinite(column), None).tolist()
    return [known(value) for value in column.astype(object).where(column.notna(), None)]
