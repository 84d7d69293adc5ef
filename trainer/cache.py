"""What is made once from a study's files and kept in the user's cache; all of it can be made again."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Return the folder of what was made from images."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "scalectl" / "images"


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
