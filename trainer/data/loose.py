"""Pictures that are files of their own: their bytes by number, and damage found before training.

What every format of such files has; the modules of the formats add how the files are found.
"""

import mmap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from scalectl.trainer import cache
from scalectl.trainer.data.facts import Contents, Unreadable


class Loose:
    """Encoded images by number, and all labels."""

    def __init__(self, contents: Contents) -> None:
        import numpy as np  # planning does without

        self._files = contents.files
        self.labels = np.array(contents.labels)

    def encoded(self, row: int) -> bytes:
        """The bytes of an image; raises BadImage where there are more than are opened."""
        from scalectl.trainer.data.headers import bounded  # planning does without Pillow

        file = Path(self._files[row])
        bounded(file.stat().st_size)
        return file.read_bytes()


def checked(contents: Contents) -> Loose:
    """The pictures of some contents; raises BadImage where some are damaged."""
    check_once(contents, _check)
    return Loose(contents)


def check_once(contents: Contents, check: Callable[[Contents], None]) -> None:
    """Check the files of some contents unless they were found sound where they lie; a copy of them may be damaged."""
    sound = cache.folder() / f"{contents.digest}-{contents.place}.sound"
    if not sound.exists():
        check(contents)
        with cache.appearing(sound):
            pass  # an empty file says enough


def _check(contents: Contents) -> None:
    """Raise BadImage where pictures are damaged."""
    from scalectl.trainer.data.headers import damage, refuse  # planning does without Pillow

    damaged = []
    for file in contents.files:
        with Path(file).open("rb") as stream:
            if reason := damage(_mapped(stream)):
                damaged.append(f"{file}: {reason}")
    refuse(damaged)


def _mapped(stream: BinaryIO) -> Any:
    """The bytes of a file, of which only those that are looked at are read."""
    if not stream.seek(0, 2):
        return b""  # which can't be mapped
    return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each picture; raises Unreadable."""
    for file in contents.files:
        try:
            yield Path(file).read_bytes()
        except OSError as error:
            raise Unreadable(f"{file}: {error.strerror}") from error


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` pictures; of a file that can't be read there are none."""
    for row in contents.spread(most):
        try:
            with Path(contents.files[row]).open("rb") as stream:
                yield row, _mapped(stream)
        except OSError:
            yield row, b""


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label, without classes that have none."""
    return Counter(contents.labels)
