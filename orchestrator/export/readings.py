"""The readings of a study as one table, the view `observations`: of millions of rows, so without their texts."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

# Columns of the view in their order: what all readings of a run share, then what each has of its own.
_SHARED = (
    *("run", "name", "study", "state", "excluded", "origin"),
    *("model", "data_size", "steps", "seed", "images_seen", "flops"),
)
_ROW = [("run", "i4"), ("metric", "i4"), ("step", "i8"), ("value", "f8"), ("test_images", "i8"), ("settings", "i4")]
_UNKNOWN = -1
_NUMBERS = "SELECT number, id FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
_OWN = """
SELECT run, metric, step, value, coalesce(test_images, -1), settings FROM measurements WHERE run IN
  (SELECT number FROM runs WHERE id IN (SELECT value FROM json_each(?)))
"""
_IMPORTED = """
SELECT run, metric, coalesce(steps, -1), value, coalesce(imported.test_images, -1), '' FROM imported JOIN imports ON
  imports.number = imported.run WHERE imports.id IN (SELECT value FROM json_each(?))
"""
PART = 2**20  # rows that are written at once: those of a group of a Parquet file


def readings(connection: Connection, points: pd.DataFrame) -> pd.DataFrame:
    """Each reading of these runs by run, metric and step, with what its run is; texts are categories."""
    settings: dict[str, int] = {}
    metrics = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, name FROM metrics")}
    parts = [
        _rows(connection, query, table, points["run"].tolist(), settings)
        for table, query in (("runs", _OWN), ("imports", _IMPORTED))
    ]
    rows = np.concatenate(parts)
    del parts
    run, metric = pd.Categorical(points["run"]), _named(rows["metric"], metrics)
    order = np.lexsort((rows["step"], metric.codes, run.codes[rows["run"]]))
    rows, metric = rows[order], metric[order]
    columns = {name: _of_runs(points[name], rows["run"]) for name in _SHARED}
    columns |= {"metric": metric, "step": _known(rows["step"]), "value": rows["value"].copy()}
    said = _named(rows["settings"], {code: words for words, code in settings.items()})
    return pd.DataFrame(columns | {"test_images": _known(rows["test_images"]), "settings": said})


def parts(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield a table in parts of PART rows, with texts in place of categories; at least one part."""
    for first in range(0, max(1, len(table)), PART):
        part = table.iloc[first : first + PART]
        named = [name for name, kind in part.dtypes.items() if isinstance(kind, pd.CategoricalDtype)]
        yield part.astype(dict.fromkeys(named, "str"))


def _rows(
    connection: Connection, query: str, table: str, ids: Collection[str], settings: dict[str, int]
) -> NDArray[np.void]:
    """The readings of those of the runs that a table has: a run as its place among them, settings as numbers that are
    added to those known.
    """
    asked, place = (json.dumps([*ids]),), {run: place for place, run in enumerate(ids)}
    numbers = connection.exec_driver_sql(_NUMBERS.format(table=table), asked)
    places = {row[0]: place[row[1]] for row in numbers}
    cursor: Any = connection.exec_driver_sql(query, asked).cursor
    coded = ((*row, settings.setdefault(said, len(settings))) for *row, said in cursor)
    rows = np.fromiter(coded, np.dtype(_ROW))  # row by row: as Python's objects all take far more memory
    by_number = np.zeros(max(places, default=0) + 1, np.int32)
    by_number[list(places)] = list(places.values())
    rows["run"] = by_number[rows["run"]]
    return rows


def _named(numbers: NDArray[np.int32], names: Mapping[int, str]) -> pd.Categorical:
    """The names of numbers as a category of those that occur, in their order."""
    present = np.unique(numbers)
    kinds = sorted({names[number] for number in present.tolist()})
    code = np.zeros(int(present.max(initial=0)) + 1, np.int32)
    code[present] = [kinds.index(names[number]) for number in present.tolist()]
    return pd.Categorical.from_codes(code[numbers], categories=pd.Index(kinds, dtype="str"))


def _of_runs(column: "pd.Series[Any]", places: NDArray[np.int32]) -> Any:
    """What each reading's run has in a column; texts as a category."""
    if isinstance(column.dtype, pd.StringDtype):
        kinds = pd.Categorical(column)
        return pd.Categorical.from_codes(kinds.codes[places], dtype=kinds.dtype)
    return column.array.take(places)


def _known(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Whole numbers, or with NaN where one isn't known."""
    unknown = numbers == _UNKNOWN
    if not unknown.any():
        return numbers.copy()
    return np.where(unknown, np.nan, numbers)
