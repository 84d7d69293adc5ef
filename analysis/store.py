"""results.db to pandas; pandas and SQLAlchemy are loaded at the first call.

A store says in its view `columns` what each column of `points` is: a metric, what the runs of one trunk share, or what
is a run's own. The DataFrame carries that in `attrs`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scalectl.analysis.labels import with_labels
from scalectl.analysis.measured import MEASURED, Measured, measured
from scalectl.analysis.still import is_still

if TYPE_CHECKING:
    from pandas import Categorical, DataFrame, Series
    from sqlalchemy import URL, Connection

_COLUMNS = [("run", "i8"), ("metric", "i8"), ("step", "i8"), ("value", "f8"), ("test_images", "i4")]
_NAMES = ("SELECT number, id FROM runs ORDER BY number", "SELECT id, name FROM metrics ORDER BY id")
_ROLES = "SELECT name, role FROM columns"
_UNKNOWN = -1
_MEASUREMENTS = "SELECT run, metric, step, value, {images} FROM measurements ORDER BY run, metric, step"


_DIFFERING = """
WITH wanted AS (SELECT value AS id FROM json_each(?))
SELECT runs.id, metrics.name, measurements.test_images FROM wanted CROSS JOIN runs CROSS JOIN metrics JOIN measurements
  ON measurements.run = runs.number AND measurements.metric = metrics.id AND measurements.step = runs.steps
  WHERE runs.id = wanted.id AND measurements.test_images IS NOT NULL
UNION ALL
SELECT imports.id, metrics.name, imported.test_images FROM wanted CROSS JOIN imports CROSS JOIN metrics JOIN imported
  ON imported.run = imports.number AND imported.metric = metrics.id
  WHERE imports.id = wanted.id AND imported.test_images IS NOT NULL
"""

IMAGES = "test_images"  # the column with the number of images behind a metric
_OF_METRIC = f"/{IMAGES}"  # behind the name of a metric: a column of the images that it alone was measured on
_EXACT = 2**53  # whole numbers from which on a float may be another one

# columns of a run's own in a table that doesn't say, as one made by hand or by an older store
_OWN = {"run", "name", "study", "state", "excluded", "steps", "cooldown", "images_seen", "flops", "marginal_flops"}
_OWN |= {"device_seconds", "core_days", "images_per_second", "flops_per_second", "mfu", "test_images", "digest"}


class _Roles(dict[str, str]):
    """The role of each column by name; pandas copies what is in `attrs` deeply with every piece of a table."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Roles":
        return self


def read(store: str | PathLike[str]) -> "DataFrame":
    """The view `points` of a store, a path or an SQLAlchemy URL: one row a run, with every setting and metric.

    Raises Refused for a file that is no store, and NoStore, which is a FileNotFoundError as well, where there is none;
    nothing is ever made.
    """
    import pandas as pd

    with _opened(store) as connection:
        points = _numeric(pd.read_sql_table("points", connection))
        for name in points.columns[[str(kind) == "float64" for kind in points.dtypes]]:
            if points[name].abs().max() >= _EXACT:
                points[name] = _whole(points[["run", name]], connection)
        points.attrs["columns"] = _roles(connection)
        if (mixed := _measured(connection)) is not None:
            points.attrs[MEASURED] = mixed
        points = _with_test_images(points, connection)
        return with_labels(points, connection, _roles_of(points))


def images_of(points: "DataFrame", metric: str) -> "Series[int]":
    """The number of test images behind a metric of each run, NA where it isn't known.

    That is the column `test_images`, or METRIC/test_images where the metrics of a run were measured on different ones.
    """
    import pandas as pd

    images = pd.Series(pd.NA, points.index, dtype="Int64", name=IMAGES)
    for name in (metric + _OF_METRIC, IMAGES):
        if name in points:
            images = images.fillna(points[name].astype("Int64"))
    return images


def _with_test_images(points: "DataFrame", connection: "Connection") -> "DataFrame":
    """The points with their test images as nullable whole numbers, and a column more for each metric that differs."""
    images = images_of(points, "")
    columns = {IMAGES: images}
    mixed = images.isna() & points[metrics(points)].notna().any(axis=1)
    if mixed.any() and IMAGES in points:
        for name, numbers in _differing(connection, list(points["run"][mixed])).items():
            columns[name + _OF_METRIC] = points["run"].map(numbers).astype("Int64")
    return points.assign(**columns)


def _differing(connection: "Connection", runs: list[str]) -> dict[str, dict[str, int]]:
    """The test images of the metrics of some runs, by metric, then by run."""
    from sqlalchemy import inspect

    numbers: dict[str, dict[str, int]] = {}
    if inspect(connection).has_table("imported"):
        for run, name, number in connection.exec_driver_sql(_DIFFERING, (json.dumps(runs),)):
            numbers.setdefault(name, {})[run] = number
    return numbers


def metrics(points: "DataFrame") -> list[str]:
    """The columns that hold metrics, as the store says; of other tables those of numbers after `digest`, or with a
    slash.
    """
    roles, columns = _roles_of(points), list(points.columns)
    if roles:
        return [name for name in columns if roles.get(name) == "metric"]
    after = []
    if "digest" in columns:
        after = [name for name in columns[columns.index("digest") + 1 :] if not _has_words(points[name])]
    named = [name for name in columns if "/" in name or name in after]
    return [name for name in named if name != IMAGES and not name.endswith(_OF_METRIC)]


def _has_words(column: "Series[Any]") -> bool:
    """Whether a column has texts or truth values, as labels of imported runs have."""
    if str(column.dtype) in ("float64", "int64", "Int64", "Float64"):
        return False
    return any(isinstance(value, (str, bool)) for value in column.dropna().tolist())


def of_trunk(points: "DataFrame") -> list[str]:
    """The columns that all runs of one trunk share."""
    roles, columns = _roles_of(points), list(points.columns)
    if roles:
        return [name for name in columns if roles.get(name) == "trunk"]
    return [name for name in columns if name not in _OWN and name not in metrics(points)]


def _roles_of(points: "DataFrame") -> dict[str, str]:
    roles: dict[str, str] = points.attrs.get("columns", {})
    return roles


def _roles(connection: "Connection") -> _Roles:
    """The role of each column of `points`; none in a store whose last writer was older."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table("columns"):
        return _Roles()
    return _Roles(_names(connection, _ROLES))


def _measured(connection: "Connection") -> Measured | None:
    """The metrics that runs were measured with different settings of; none in a table that others made."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table("measurements"):
        return None
    return measured(connection)


def measurements(store: str | PathLike[str]) -> "DataFrame":
    """Every reading of a store's own runs: `run` (its id) and `metric` as categories, `step`, `value`, `test_images`.

    A value that was not finite is NaN; images that aren't known are NA. Raises what `read` raises.
    """
    import numpy as np
    import pandas as pd
    from sqlalchemy import inspect

    with _opened(store) as connection:
        images = str(_UNKNOWN)
        if any(column["name"] == IMAGES for column in inspect(connection).get_columns("measurements")):
            images = f"coalesce({IMAGES}, {_UNKNOWN})"
        cursor: Any = connection.exec_driver_sql(_MEASUREMENTS.format(images=images)).cursor
        rows = np.fromiter(cursor, np.dtype(_COLUMNS))  # row by row: as Python's objects all take far more memory
        runs, metrics_by_number = (
            _names(connection, query) for query in _NAMES
        )  # now, as a launch may have added some
    columns = {name: rows[name] for name, _ in _COLUMNS}
    known = pd.arrays.IntegerArray(columns[IMAGES].copy(), columns[IMAGES] == _UNKNOWN)
    named_columns = {"run": _named(rows["run"], runs), "metric": _named(rows["metric"], metrics_by_number)}
    return pd.DataFrame(columns | named_columns | {IMAGES: known})


def curves(store: str | PathLike[str]) -> "DataFrame":
    """The view `curves`, the training curve of every run of a store: `run` (its id) as a category, all else numbers.

    A loss that was not finite is NaN, and so is what isn't known. Raises what `read` raises.
    """
    import pandas as pd

    with _opened(store) as connection:
        table = pd.read_sql_table("curves", connection)
    run = table["run"].astype("category")
    return _numeric(table.drop(columns="run")).assign(run=run)[list(table.columns)]


def _names(connection: "Connection", query: str) -> dict[Any, str]:
    return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def _named(number: Any, names: dict[int, str]) -> "Categorical":
    """The names of numbers, as a category of all that there are."""
    import numpy as np
    import pandas as pd

    code = np.zeros(max(names, default=0) + 1, np.int32)
    code[list(names)] = np.arange(len(names))
    return pd.Categorical.from_codes(code[number], categories=list(names.values()))


@contextmanager
def _opened(store: str | PathLike[str]) -> Iterator["Connection"]:
    """Open a store to read, which has to be there."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import DatabaseError

    from scalectl.analysis.checks import Refused

    url = _url(store)
    if url.get_backend_name() == "sqlite":
        _look(url.database)
        url = _as_it_is(url)
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("points"):
                raise Refused(f"{store} has no table or view `points`: it is not a store of scalectl.")
            yield connection
    except DatabaseError as error:
        raise Refused(f"{store} can't be read as a store: {error.orig}.") from error
    finally:
        engine.dispose()


def _numeric(points: "DataFrame") -> "DataFrame":
    """The points with NaN in place of None where imported runs lack a number."""
    for name in points.columns[[str(kind) == "object" for kind in points.dtypes]]:
        if not points[name].map(lambda value: isinstance(value, str)).any():
            points[name] = points[name].astype(float)
    return points


def _whole(column: "DataFrame", connection: "Connection") -> "Series":
    """A column as it is, or as nullable whole numbers where the store has such: a float loses digits of large ones."""
    import pandas as pd
    from sqlalchemy import column as named
    from sqlalchemy import select, table

    name = column.columns[1]
    query: Any = select(named("run"), named(name)).select_from(table("points")).where(named(name).is_not(None))
    values = {run: value for run, value in connection.execute(query)}  # noqa: C416 - dict() takes it for a mapping
    if not all(isinstance(value, int) for value in values.values()):
        return column[name]
    return pd.Series([values.get(run) for run in column["run"]], column.index, dtype="Int64")


def _url(store: str | PathLike[str]) -> "URL":
    from sqlalchemy import URL, make_url

    text = str(store)
    if "://" in text:
        return make_url(text)
    return URL.create("sqlite", database=str(Path(text).expanduser()))


def _look(database: str | None) -> None:
    """Raise unless the file is there: SQLite would make an empty one of that name."""
    if not database or not Path(database).is_file():
        from scalectl.analysis.checks import NoStore

        raise NoStore(f"{database or ':memory:'}: there is no store here; scalectl launch FILE makes one.")


def _as_it_is(url: "URL") -> "URL":
    """The URL of a store that is read as a file that won't change, where it has to be."""
    real = Path(os.path.realpath(str(url.database)))
    if not is_still(real):
        return url
    return url.set(database=f"file:{quote(str(real))}", query={"immutable": "1", "uri": "true"})
