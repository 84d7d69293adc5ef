"""results.db to pandas; pandas and SQLAlchemy are loaded at the first call."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame
    from sqlalchemy import URL


def read(store: str | PathLike[str]) -> "DataFrame":
    """Return the view `points` of a store, a path or an SQLAlchemy URL: one row a run, with every setting and metric.

    Raises FileNotFoundError where there is no store, and ValueError for a file that is none; nothing is ever made.
    """
    import pandas as pd
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import DatabaseError

    url = _url(store)
    if url.get_backend_name() == "sqlite":
        _look(url.database)
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("points"):
                raise ValueError(f"{store} has no table or view `points`: it is not a store of scalectl.")
            return _numeric(pd.read_sql_table("points", connection))
    except DatabaseError as error:
        raise ValueError(f"{store} can't be read as a store: {error.orig}.") from error
    finally:
        engine.dispose()


def _numeric(points: "DataFrame") -> "DataFrame":
    """Return the points with NaN in place of None where imported runs lack a number."""
    for name in points.columns[[str(kind) == "object" for kind in points.dtypes]]:
        if not points[name].map(lambda value: isinstance(value, str)).any():
            points[name] = points[name].astype(float)
    return points


def _url(store: str | PathLike[str]) -> "URL":
    from sqlalchemy import URL, make_url

    text = str(store)
    return make_url(text) if "://" in text else URL.create("sqlite", database=text)


def _look(database: str | None) -> None:
    """Raise unless the file is there: SQLite would make an empty one of that name."""
    if not database or not Path(database).is_file():
        raise FileNotFoundError(f"{database or ':memory:'}: there is no store here; scalectl launch FILE makes one.")
