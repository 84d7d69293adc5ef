"""SQL over a store, in a connection that can read its tables and do nothing else."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, Refusal, did_you_mean
from scalectl.orchestrator.store.database import reading

# What a statement may ask SQLite for, https://www.sqlite.org/c3ref/c_alter_table.html. ATTACH is not there: it opens
# other files, and makes new ones.
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_TOLD = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}  # by PRAGMA


class InvalidQuery(Refusal):
    """SQL that can't be read, or that asks for something else than rows of this store."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Rows:
    """The rows that a query has, and the names of their columns."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def asked(store: Path, query: str) -> Iterator[Rows]:
    """Yield the rows of a query, read one after the other as of one moment, also during a launch.

    Raises InvalidQuery for what SQLite doesn't understand and for statements that would do more than read, and what
    `reading` raises of the store.
    """
    with reading(store) as connection:
        sqlite: Any = connection.connection.driver_connection
        sqlite.set_authorizer(_authorised)
        try:
            cursor = sqlite.execute(query)
            if cursor.description is None:
                raise InvalidQuery("query: there is no statement in it, such as SELECT * FROM points.")
            yield Rows(tuple(name for name, *_ in cursor.description), cursor)
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.Warning) as error:
            raise InvalidQuery(f"query: {str(error).rstrip('.')}. {_advice(sqlite, str(error))}".rstrip()) from error
        except sqlite3.DatabaseError as error:
            if "prohibited" not in str(error) and "not authorized" not in str(error):
                raise
            raise InvalidQuery(f"query: {error}. A query reads the tables and views of this store alone.") from error
        finally:
            sqlite.set_authorizer(None)


def _authorised(action: int, name: str | None, *_: object) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and name in _TOLD):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _advice(sqlite: sqlite3.Connection, error: str) -> str:
    """What may have been meant by a name that isn't there."""
    sqlite.set_authorizer(None)
    names = [name for (name,) in sqlite.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    if missing := re.match(r"no such table: (\S+)", error):
        return did_you_mean(missing[1], names).capitalize() or f"There are {', '.join(sorted(names))}."
    if missing := re.match(r"no such column: (.+)", error):
        columns = {column: name for name in names for _, column, *_ in sqlite.execute(f'PRAGMA table_info("{name}")')}
        column = missing[1].rpartition(".")[2]
        if column in columns:
            return f"{columns[column]} has one."
        if any(name.startswith(f"{column}/") for name in columns):
            return 'A name with a slash stands in double quotes: "upstream/error".'
        return did_you_mean(column, columns).capitalize()
    return ""
