"""Whether a store is read as a file that won't change, beside which SQLite makes no others."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_BEGUN = 3  # bytes of a -wal or -shm that nobody uses


def is_still(store: Path) -> bool:
    """Whether nobody can write beside a store, which is no link, or a full disk has no room there: SQLite makes files
    beside one that might change.
    """
    if os.access(store.parent, os.W_OK, effective_ids=True):
        return not _has_room_beside(store)
    return not store.with_name(f"{store.name}-wal").exists()


def _has_room_beside(store: Path) -> bool:
    """Whether SQLite can make the files that readers share; where a full disk lacks room, the store is all there is."""
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.Error as error:
        unmade = getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE)
        beside = [Path(f"{store}-wal"), Path(f"{store}-shm")]
        return not unmade or any(file.exists() and file.stat().st_size > _BEGUN for file in beside)
    return True
