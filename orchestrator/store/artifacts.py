"""Checkpoint folders on disks and in buckets: their sizes, and their removal."""

import shutil
from contextlib import suppress
from pathlib import Path

from scalectl.trainer.data.storage import as_path, remote


def size(path: str) -> int:
    """The bytes of the files in a folder; 0 where there is none."""
    if remote(path):
        return sum(file.stat().length for file in as_path(path).glob("**/*") if file.is_file())
    return sum(file.lstat().st_size for file in Path(path).rglob("*") if file.is_file())


def remove(path: str) -> None:
    """Remove the folder of a checkpoint, and the folders around it of its job that it leaves empty.

    A link is never followed; one that stands in the folder's place raises OSError, as does what can't be removed.
    """
    if remote(path):
        as_path(path).rmtree(missing_ok=True)
        return
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
    with suppress(OSError):  # others are in it
        Path(path).parent.rmdir()
        Path(path).parent.parent.rmdir()
