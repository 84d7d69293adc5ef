"""What is made once and kept in the user's cache: images from a study's files, compiled programs, verdicts.

All of it can be made again.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

RESERVE = 2**30  # bytes of a disk that are left free, or a twentieth of a small one


def folder(kind: str = "images") -> Path:
    """A folder that only this user can read; where the cache can't be written, one for this process's life."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(home) / "scalectl" / kind
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except (OSError, RuntimeError):  # Path.home() raises the second for a user without one
        return Path(_passing().name)
    if not os.access(path, os.W_OK):
        return Path(_passing().name)
    return path


def free(file: Path) -> int:
    """The bytes that may be written where a file will lie; a little of the disk is left to others."""
    usage = shutil.disk_usage(file.parent)
    return usage.free - min(RESERVE, usage.total // 20)


@cache
def _passing() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scalectl-")


@contextmanager
def appearing(file: Path) -> Iterator[str]:
    """Yield a path beside `file` to write to, which is renamed at the end: others see all of the file or none."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=file.parent, suffix=".part")
    os.close(handle)
    try:
        yield part
        Path(part).replace(file)
    finally:
        Path(part).unlink(missing_ok=True)
