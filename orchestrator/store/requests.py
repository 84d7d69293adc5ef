"""What is asked of the launch that writes to a store, in a file beside it."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import command
from scalectl.orchestrator.store.beside import Unusable, opened, owner
from scalectl.trainer import flock

_MOST = 4 * 2**20  # bytes of a file of requests; an id has 16, and a study has thousands of runs


def ask_to_stop(store: Path, runs: Collection[str]) -> None:
    """Ask the launcher of a store to stop runs; it looks several times a second.

    They are ids or, before the launcher has written its plan, words for runs that it alone knows, or names.ALL of them.
    Raises Refusal for a user whose request the launcher couldn't read: its own and root's alone are.
    """
    if os.geteuid() not in (0, owner(store)):
        text = f"refused: {store} belongs to another user, whose launch can't read your request."
        raise Refusal(f"{text} Ask its owner to give: {command('stop', store=store)}")
    file = opened(_requests(store), store, os.O_RDWR | os.O_CREAT)
    try:
        flock.acquire(file, blocking=True)
        os.lseek(file, 0, os.SEEK_END)
        os.write(file, "".join(f"{run}\n" for run in runs).encode())
    finally:
        os.close(file)


def asked_to_stop(store: Path, *, keep: bool = False) -> frozenset[str]:
    """The runs that were asked for since the last call, which makes the file empty again unless it is to keep them.

    Raises Unusable, with the reason in words, for requests that can't be read.
    """
    path = _requests(store)
    if not os.path.lexists(path):
        return frozenset()
    try:
        file = opened(path, store, os.O_RDWR)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}.") from error
    try:
        if not flock.acquire(file):  # somebody writes to it right now; the next turn reads it
            return frozenset()
        size = os.fstat(file).st_size
        if not size:
            return frozenset()
        text = os.pread(file, _MOST, 0).decode(errors="replace")
        if not keep:
            os.ftruncate(file, 0)
    finally:
        os.close(file)
    if size > _MOST:
        raise Unusable(f"{path} has {size:,} bytes, and {_MOST:,} is the most that is read.")
    return frozenset(text.split())


def forget_requests(store: Path) -> None:
    """Drop what was asked of the launcher before this one; what can't be read is left to the first look at it."""
    with suppress(Unusable):
        asked_to_stop(store)


def remove_requests(store: Path) -> None:
    """Remove the file of requests, where nothing else is left of a store either."""
    Path(_requests(store)).unlink(missing_ok=True)


def open_requests(store: Path) -> bool:
    """Whether there are requests that nobody has taken."""
    try:
        return bool(os.lstat(_requests(store)).st_size)
    except OSError:
        return False


def _requests(store: Path) -> str:
    return f"{os.path.realpath(store)}.stop"
