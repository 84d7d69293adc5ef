"""The right to write a job's checkpoints: a worker that its launch has lost may go on for a minute."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scalectl.trainer import flock
from scalectl.trainer.data.storage import remote
from scalectl.trainer.events import Stop

PATIENCE = 120.0  # seconds; Ray ends the workers of a launcher that was killed within one minute
_POLL_SECONDS = 0.2


class Taken(Exception):  # noqa: N818 - a fact about a folder
    """A folder of checkpoints that another worker still writes to."""


@contextmanager
def leased(folder: str, stopping: Stop | None) -> Iterator[bool]:
    """Hold a job's folder, once its last worker has ended; yields False where `stopping` is set before.

    The kernel drops the hold with the process. Nobody holds a folder in a bucket, on NFS, or one that can't be made.
    Raises Taken after PATIENCE.
    """
    file = _opened(folder)
    try:
        yield file < 0 or _waited(file, folder, stopping)
    finally:
        if file >= 0:
            os.close(file)


def _opened(folder: str) -> int:
    """The number of the open folder, which is made; -1 for one that has no locks."""
    if remote(folder):
        return -1
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # the first checkpoint says so
        return -1


def _waited(file: int, folder: str, stopping: Stop | None) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not flock.acquire_folder(file):
        if stopping is not None and stopping.is_set():
            return False
        if time.monotonic() > deadline:
            raise Taken(f"{folder}: another worker still writes to it, after {PATIENCE:,.0f} s. End that process.")
        time.sleep(_POLL_SECONDS)
    return True
