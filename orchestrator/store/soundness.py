"""Whether a store is whole and all of it ours: damaged pages, objects of others, values that no column has."""

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Boolean, Column, Connection, DateTime, Float, Integer, Table, text

from scalectl.orchestrator.store import measured
from scalectl.orchestrator.store.columns import Words
from scalectl.orchestrator.store.tables import schema
from scalectl.orchestrator.store.views import VIEWS

APPLICATION = 0x5CA1EC71  # tells our files from others: https://www.sqlite.org/pragma.html#pragma_application_id
MAX_COPIES = 20  # files beside a damaged store that are looked at
TRIES, TRY_SECONDS = 3, 0.05
WITHOUT_LOG = "immutable=1"
_ENTRY = "id, at, what, text"  # of the history
_HEADER = 100  # bytes: https://www.sqlite.org/fileformat2.html#the_database_header
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def damage(connection: Connection, *, full: bool = False) -> str:
    """The first damaged page that SQLite's quick check finds, or its full one, which compares indexes; or nothing."""
    check = "quick_check"
    if full:
        check = "integrity_check"
    result = str(connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar_one())
    if result == "ok":
        return ""
    return " ".join(result.split())


def strange_object(connection: Connection) -> str:
    """What no store has, in words: a trigger, another view, a view in place of a table; or nothing."""
    kinds = {**dict.fromkeys(schema.tables, "table"), **dict.fromkeys(VIEWS, "view")}
    for kind, name, sql in connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master").all():
        strange = kind in ("trigger", "view") and kinds.get(name) != kind
        strange |= kinds.get(name, kind) != kind or str(sql).upper().startswith("CREATE VIRTUAL")
        if strange or (kind == "view" and re.search(r"\bWITH\b", _QUOTED.sub("", sql), re.IGNORECASE)):
            return f"the {kind} {name!r}"
    return ""


def missing_object(connection: Connection) -> str:
    """A table or view that a store has and this one lacks, in words; or nothing."""
    names = set(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
    for kind, wanted in (("table", schema.tables), ("view", VIEWS)):
        for name in wanted:
            if name not in names:
                return f"the {kind} {name!r}"
    return ""


def odd_value(connection: Connection) -> str:
    """The first value that its column can't have, such as text where a number should be, in words; or nothing."""
    for table in schema.sorted_tables:
        held = {name for _, name, *_ in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
        conditions = dict(_conditions(table, held))
        if name := _odd_column(connection, table.name, conditions):
            first = f'SELECT "{name}" FROM {table.name} WHERE {conditions[name]}'  # noqa: S608 - names of ours
            value = connection.exec_driver_sql(first).scalar()
            return f"{table.name}.{name} is {str(value)[:60]!r}"
    return ""


def _odd_column(connection: Connection, table: str, conditions: Mapping[str, str]) -> str:
    """The first column of a table in which some row meets its condition, or nothing."""
    if measured.are_keyed(connection, table):
        if name := measured.odd_key(connection):
            return name
        conditions = {name: condition for name, condition in conditions.items() if name not in measured.KEY}
    if not conditions:
        return ""
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in conditions.items())
    query = f"SELECT CASE {cases} END FROM {table} WHERE {' OR '.join(conditions.values())} LIMIT 1"  # noqa: S608 - ours
    return str(connection.exec_driver_sql(query).scalar() or "")


def orphan(connection: Connection) -> tuple[str, str] | None:
    """The table of a row that belongs to one which is gone, and the table of that one; or none."""
    other = text("SELECT * FROM pragma_foreign_key_check(:table)")
    for (table,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").all():
        if measured.are_keyed(connection, table):
            if parent := measured.missing_parent(connection):
                return table, parent
        elif broken := connection.execute(other, {"table": table}).first():
            return broken[0], broken[2]
    return None


def _conditions(table: Table, held: set[str]) -> Iterator[tuple[str, str]]:
    """Yield columns of a table that the file has with the SQL of what they can't hold."""
    for column in table.columns:
        if column.name in held and column.computed is None:
            yield column.name, _impossible(column)


def _impossible(column: Column[Any]) -> str:
    name = f'"{column.name}"'
    match column.type:
        case Words() as kind:
            words = ", ".join(f"'{word.value}'" for word in kind.words)
            return f"{name} NOT IN ({words}, '')"
        case DateTime():
            return f"({name} IS NOT NULL AND (typeof({name}) <> 'text' OR datetime({name}) IS NULL))"
        case Integer() | Float() | Boolean():  # in SQLite's order text comes after numbers, and blobs after text;
            return f"+{name} >= ''"  # to compare takes half as long as to ask for the type, less without its affinity
    return f"{name} >= x''"


def has_foreign_log(path: Path) -> bool:
    """Whether the write-ahead log beside a store is of another one: SQLite would put that one's pages into this.

    An entry of the history never changes, so one that differs with and without the log tells. What is read without the
    log can be half written while a launch works, and is read again then. To be called before anything else opens the
    store: the last connection that may write copies the log into the store when it is closed.
    """
    log = path.with_name(f"{path.name}-wal")
    for _ in range(TRIES):
        if not _size(log):
            return False
        entries = _entries_without_log(path)
        if not entries:
            return False
        with closing(_opened(path, "mode=ro")) as connection:
            if all(_is_held(connection, entry) for entry in entries):
                return False
        time.sleep(TRY_SECONDS)
    return True


def _size(file: Path) -> int:
    """The bytes of a file; 0 where there is none, as of a log that its last writer took away a moment ago."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _is_held(connection: sqlite3.Connection, entry: tuple[Any, ...]) -> bool:
    """Whether a history has this entry, or none of its number."""
    query = f"SELECT {_ENTRY} FROM events WHERE id = ?"  # noqa: S608 - ours
    row = connection.execute(query, (entry[0],)).fetchone()
    return row is None or row == entry


def _entries_without_log(path: Path) -> list[tuple[Any, ...]]:
    """The first and the last entry of the history as the file alone has them; none where it can't be read."""
    ends = "(SELECT min(id) FROM events UNION SELECT max(id) FROM events)"
    try:
        with closing(_opened(path, WITHOUT_LOG)) as connection:
            return list(connection.execute(f"SELECT {_ENTRY} FROM events WHERE id IN {ends} ORDER BY id"))  # noqa: S608 - ours
    except sqlite3.Error:
        return []


def _opened(path: Path, option: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{option}", uri=True)


def remedy(path: Path) -> str:
    """What helps with a damaged store: a log that isn't its own moved away, a sound copy beside it, or `.recover`."""
    log = path.with_name(f"{path.name}-wal")
    if _size(log) and _is_sound(path):
        return f"{log} is not its own: without it the store is sound. Move it and {path.name}-shm away"
    begun = _entries_without_log(path)[:1]
    for copy in filter(_is_sound, _copies(path)):
        others = _entries_without_log(copy)[:1]
        if begun and begun == others:
            return f"{copy} is a sound copy: move {path} away, and copy that to its place"
        if not begun or not others:  # nothing tells whether it is one
            return f"{copy} is sound: if it is a copy of {path}, move {path} away, and copy that to its place"
    saved = path.with_name(f"recovered-{path.name}")
    return f"No sound copy is beside it. This saves what can be read: sqlite3 {path} .recover | sqlite3 {saved}"


def _copies(path: Path) -> list[Path]:
    """The other stores in the folder of a store, the newest first."""
    times = {}
    for file in path.parent.iterdir():
        with suppress(FileNotFoundError):  # as of a log that its last writer takes away at this moment
            if file.is_file() and not file.samefile(path):
                times[file] = file.stat().st_mtime
    newest = sorted(times, key=times.__getitem__, reverse=True)
    return [file for file in newest[:MAX_COPIES] if _is_store(file)]


def _is_store(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            header = stream.read(_HEADER)
    except OSError:
        return False
    return header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION.to_bytes(4, "big")


def _is_sound(file: Path) -> bool:
    """Whether a file is whole by itself, without a log beside it."""
    try:
        with closing(_opened(file, WITHOUT_LOG)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.Error:
        return False
