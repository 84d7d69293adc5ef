"""Opening results.db: what the file must be, and how SQLite is set up for one writer and many readers."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from scalectl.analysis.still import is_still
from scalectl.orchestrator.errors import NotFound, Refusal
from scalectl.orchestrator.format import command
from scalectl.orchestrator.store.beside import Unusable, check_journals
from scalectl.orchestrator.store.lock import holder
from scalectl.orchestrator.store.older import forget, state_of, upgraded
from scalectl.orchestrator.store.soundness import (
    APPLICATION,
    damage,
    has_foreign_log,
    missing_object,
    odd_value,
    orphan,
    remedy,
    strange_object,
)
from scalectl.orchestrator.store.tables import schema
from scalectl.orchestrator.store.upgrading import VERSION, upgrade
from scalectl.orchestrator.store.views import create_views

BUSY_SECONDS = 30.0


class NotAStore(Unusable):
    """A file that is damaged, or was never a store."""


class NewerStore(Unusable):
    """A store of a later version than this program knows."""


def writing(path: Path) -> Engine:
    """An engine whose transactions write to the store at `path`, made with mode 0600 when there is none.

    Only the holder of its Lock may call this. Raises NotAStore, NewerStore or Unusable.
    """
    forget()  # it won't be of an older version any more
    check_journals(path)
    with explained(path):
        _refuse_foreign_log(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives -wal and -shm the mode of the file
        with _looking(path) as connection:
            new = _is_new(connection, path)  # before anything, even the journal's mode, is changed
            _check(connection, path)
        engine = _engine(path, "BEGIN IMMEDIATE", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")
        try:
            with engine.begin() as connection:
                if new:
                    _create(connection)
                else:
                    upgrade(connection)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _create(connection: Connection) -> None:
    schema.create_all(connection)
    create_views(connection)
    connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION}")


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Yield a connection that sees one moment of the store and can't write; raises NotFound where there is none."""
    with explained(path):
        exists = path.exists()
    if not exists:
        if launcher := holder(path):
            ends = f"{command('stop --all', store=path)} ends it"
            raise NotFound(f"{path}: there is no store here yet: {launcher}, makes it once it has slots; {ends}.")
        raise NotFound(f"{path}: there is no store here; scalectl launch FILE makes one.")
    check_journals(path)
    with explained(path):
        _refuse_foreign_log(path)
        state = state_of(path)
    with explained(path), _looking(path) as connection:
        if _is_new(connection, path):
            raise NotFound(f"{path} is an empty file: nothing was planned in it yet.")
        _refuse_objects(connection, path)
        try:
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == VERSION:
                if name := missing_object(connection):
                    raise NotAStore(
                        f"{path} has lost {name}. The next launch makes it again; rows that a table held are gone."
                    )
                yield connection
                return
            with upgraded(connection, state) as copy:
                yield copy
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            _refuse_odd_values(connection, path, error)
            raise


def check(path: Path) -> None:
    """Read the whole store and raise NotAStore for the first damage, for what isn't ours and for odd values in it."""
    with explained(path), reading(path), _looking(path) as connection:
        _check(connection, path, full=True)
        broken = orphan(connection)
    if broken:
        child, parent = broken
        raise NotAStore(f"{path} is damaged: a row of {child} belongs to one of {parent} that is gone. {remedy(path)}.")


def version_of(path: Path) -> int:
    """The version of the store at `path`; raises what `reading` does."""
    with reading(path), _looking(path) as connection:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def copy_to(path: Path, file: Path) -> None:
    """Write a whole copy of a store, also while a launch writes to it, to a file that isn't there yet; a copy that
    fails is not there.

    Raises what `reading` does, NotAStore for one with a damaged page, and Refusal for a file that is there already or
    can't be written.
    """
    with explained(path), reading(path), _looking(path) as connection:
        _make(file)
        try:
            with explained(file), closing(sqlite3.connect(file)) as copy:
                connection.connection.backup(copy)
            with _looking(file) as copied:
                problem = damage(copied)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    if problem:
        file.unlink()
        raise NotAStore(f"{path} is damaged: {problem}. {remedy(path)}.")


def _make(file: Path) -> None:
    """Make an empty file that its owner alone may read, and the folders that it lies in."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise Refusal(f"refused: {error.filename} is there already. Give another file.") from error
    except OSError as error:
        raise Refusal(f"{error.filename or file}: {error.strerror}. Give another file.") from error


def _check(connection: Connection, path: Path, *, full: bool = False) -> None:
    if problem := damage(connection, full=full):
        raise NotAStore(f"{path} is damaged: {problem}. {remedy(path)}.")
    _refuse_objects(connection, path)
    _refuse_odd_values(connection, path)


def _refuse_foreign_log(path: Path) -> None:
    if has_foreign_log(path):
        text = f"{path}-wal is the log of another store, which would replace the rows of this one."
        raise NotAStore(f"{text} Move {path}-wal and {path}-shm away.")


def _refuse_objects(connection: Connection, path: Path) -> None:
    if name := strange_object(connection):
        raise NotAStore(f"{path} has {name}, which no store has: drop it, or use a copy from before it was made.")


def _refuse_odd_values(connection: Connection, path: Path, cause: Exception | None = None) -> None:
    if value := odd_value(connection):
        raise NotAStore(f"{path} was changed by another program: {value}, which is no value of that column.") from cause


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of a damaged, busy or unreachable file into a refusal that names it."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"{error.filename or path}: {error.strerror}.") from error
    except (DBAPIError, sqlite3.Error) as error:
        cause = getattr(error, "orig", error)
        if isinstance(cause, sqlite3.OperationalError):
            text = f"{path}: {cause}."
            if "disk is full" in str(cause):
                text += " Make room, then try again: what it has is kept."
            if "disk I/O" in str(cause):
                text += " Its disk may be full or damaged."
            if "locked" in str(cause):
                text += " Another program holds it: end that, then try again."
            raise Unusable(text) from error
        if type(cause) is sqlite3.DatabaseError:  # its subclasses are errors of this program, not of the file
            raise NotAStore(f"{path} is not a store, or is damaged: {cause}. {remedy(path)}.") from error
        raise


def file_number(path: Path) -> tuple[int, int]:
    """The device and inode of the file at `path`, which no file has that takes its name later; zeros without one."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_dev, stat.st_ino


@contextmanager
def _looking(path: Path) -> Iterator[Connection]:
    engine = _engine(path, "BEGIN", "query_only=ON", query=_kept_apart(path))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _kept_apart(path: Path) -> dict[str, str]:
    """The options to open a store that is there: none is made, as one may be taken away at any moment, and nothing
    beside one that is read as a file that won't change.
    """
    if is_still(Path(os.path.realpath(path))):
        return {"immutable": "1", "uri": "true"}
    return {"mode": "rw", "uri": "true"}


def _engine(path: Path, begin: str, *pragmas: str, query: Mapping[str, str] | None = None) -> Engine:
    """An engine that sends its own BEGIN, as SQLAlchemy's page on the SQLite dialect shows."""
    database = f"file:{quote(str(path.absolute()))}" if query else str(path)
    url = URL.create("sqlite", database=database, query=query or {})
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _is_new(connection: Connection, path: Path) -> bool:
    """Whether the file holds nothing yet; raises NotAStore or NewerStore for one that isn't ours to use."""
    application, version, tables = (
        connection.exec_driver_sql(query).scalar_one()
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION and (application or version or tables):
        raise NotAStore(f"{path} is a database of another program: name another file as the store.")
    if version > VERSION:
        raise NewerStore(f"{path} is a store of version {version}; this scalectl knows {VERSION}: upgrade scalectl.")
    return not tables
