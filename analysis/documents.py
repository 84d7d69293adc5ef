"""Answers and tables as JSON: floats as Python writes them, with all of their digits, and null for what isn't known."""

import math
from typing import Any

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
    return [dict(zip(map(str, table.columns), row, strict=True)) for row in rows(table)]


def rows(table: pd.DataFrame) -> list[list[Any]]:
    """The values of a table, row by row, with None for what is missing or not finite."""
    columns = [column.astype(object).where(column.notna(), None) for _, column in table.items()]
    return [known(list(row)) for row in zip(*columns, strict=True)]
