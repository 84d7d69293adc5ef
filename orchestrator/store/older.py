"""A store of an older version, read as this version knows it: a copy is upgraded, and no file is changed."""

import sqlite3
import threading
import time
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from scalectl.orchestrator.store.upgrading import upgrade

_SETTLED = 2e9  # nanoseconds after which a file that changes again has another time for sure
_kept = threading.local()  # the last copy of a thread; SQLite's connections are of one

State = tuple[object, ...]


def state_of(path: Path) -> State:
    """What is different once a store or its log has changed: to be asked before it is read.

    A file that changed a moment ago has a state of that moment alone: its time may not tell the next change.
    """
    files = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue
        if stat.st_size:  # whoever reads makes an empty log
            files.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    now = time.time_ns()
    if any(now - changed < _SETTLED for *_, changed in files):
        return (object(),)
    return tuple(files)


def upgraded(old: Connection, state: State) -> Connection:
    """A copy of an older store in this `state`, brought to this version: made once, and again when that changes.

    It can't be written, and ends with the process or with the next one.
    """
    if getattr(_kept, "state", None) != state:
        _kept.state, _kept.copy = None, None  # the space of the last one is free before the next is made
        _kept.copy, _kept.state = _copied(old), state
    copy: Connection = _kept.copy
    return copy


def _copied(old: Connection) -> Connection:
    temporary = sqlite3.connect("")  # in memory, and on disk where that is short
    engine = create_engine("sqlite://", creator=lambda: temporary, poolclass=StaticPool)
    try:
        old.connection.backup(temporary)
        with engine.begin() as copy:
            upgrade(copy)
        copy = engine.connect()
        copy.exec_driver_sql("PRAGMA query_only=ON")
    except BaseException:
        engine.dispose()
        raise
    return copy
