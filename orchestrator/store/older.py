"""A store of an older version, read as this version knows it: a copy is upgraded, and no file is changed."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from scalectl.orchestrator.store.upgrading import upgrade

_SETTLED = 2e9  # nanoseconds after which a file that changes again has another time for sure
_kept = threading.local()  # the last copy of a thread, and the state of its store

State = tuple[object, ...]


def state_of(path: Path) -> State:
    """What is different once a store or its log has changed: to be asked before it is read.

    A file that changed a moment ago has a state of that moment alone: its time may not tell the next change.
    """
    files = []
    real = os.path.realpath(path)  # beside which the log lies
    for file in (real, f"{real}-wal"):
        try:
            stat = os.stat(file)  # noqa: PTH116
        except FileNotFoundError:
            continue
        if stat.st_size:  # whoever reads makes an empty log
            files.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    now = time.time_ns()
    if any(now - changed < _SETTLED for *_, changed in files):
        return (object(),)
    return tuple(files)


@contextmanager
def upgraded(old: Connection, state: State) -> Iterator[Connection]:
    """Yield a copy of an older store in this `state`, brought to this version: made once, and again when that changes.

    It can't be written, and ends with the thread or with the next one.
    """
    if getattr(_kept, "state", None) != state:
        forget()  # the space of the last one is free before the next is made
        _kept.copy, _kept.state = _Copy(old), state
    copy: _Copy = _kept.copy  # which stays while it is read, whatever is kept by then
    with copy.engine.connect() as connection:
        yield connection


def forget() -> None:
    """Let go of the copy that this thread keeps."""
    _kept.state, _kept.copy = None, None


class _Copy:
    """An upgraded copy of a store, closed as soon as nobody holds it: SQLAlchemy would leave that to the collector of
    garbage, which may come late and in another thread.
    """

    def __init__(self, old: Connection) -> None:
        temporary = sqlite3.connect("", check_same_thread=False)  # in memory, and on disk where that is short
        weakref.finalize(self, temporary.close).atexit = False  # another thread may still read it then
        self.engine = create_engine("sqlite://", creator=lambda: temporary, poolclass=StaticPool)
        old.connection.backup(temporary)
        with self.engine.begin() as copy:
            upgrade(copy)
        temporary.execute("PRAGMA query_only=ON")
