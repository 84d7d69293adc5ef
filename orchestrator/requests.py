"""What other commands ask of the launcher that holds a store, in a file beside it."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def ask_to_stop(store: Path, runs: Collection[str]) -> None:
    """Ask the launcher of a store to stop runs, by their ids; it looks several times a second."""
    with _held(store) as file:
        os.lseek(file, 0, os.SEEK_END)
        os.write(file, "".join(f"{run}\n" for run in runs).encode())


def asked_to_stop(store: Path) -> frozenset[str]:
    """Return the runs that were asked for since the last call, which makes the file empty again."""
    if not _path(store).exists() or not _path(store).stat().st_size:
        return frozenset()
    with _held(store) as file:
        size = os.fstat(file).st_size
        text = os.pread(file, size, 0).decode(errors="replace")
        os.ftruncate(file, 0)
    return frozenset(text.split())


@contextmanager
def _held(store: Path) -> Iterator[int]:
    """Yield the file, made for this user alone when there is none, while nobody else reads or writes it."""
    file = os.open(_path(store), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _path(store: Path) -> Path:
    return Path(os.path.realpath(store) + ".stop")
