"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """The path of a new file, which takes the place of another once it is whole; one that fails is not there."""
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with suppress(OSError):  # there is none any more, or what kept it from being written says more
            partial.unlink()
