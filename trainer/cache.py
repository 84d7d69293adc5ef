"""What is made once and kept in the user's cache: images from a study's files, compiled programs, verdicts.

All of it can be made again.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


def folder(kind: str = "images") -> Path:
    """Return a folder that only this user can read; where the cache can't be written, one for this process's life."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        found = Path(home) / "scalectl" / kind
        found.mkdir(parents=True, exist_ok=True, mode=0o700)
        found.chmod(0o700)
    except (OSError, RuntimeError):  # Path.home() raises the second for a user without one
        return Path(_passing().name)
    return found if os.access(found, os.W_OK) else Path(_passing().name)


@cache
def _passing() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scalectl-")


@contextmanager
def appearing(file: Path) -> Iterator[str]:
    """Yield a path beside `file` to write to, which is renamed at the end: others see all of the file or none."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, beside = tempfile.mkstemp(dir=file.parent, suffix=".part")
    os.close(handle)
    try:
        yield beside
        Path(beside).replace(file)
    finally:
        Path(beside).unlink(missing_ok=True)
