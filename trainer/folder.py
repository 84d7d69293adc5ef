"""Folders of pictures, one for each class: what planning knows of them, and their bytes."""

import hashlib
import mmap
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from scalectl.trainer import cache
from scalectl.trainer.files import Contents, Unreadable

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def contents(path: str) -> Contents:
    """Return what is in the folders of a folder, whose names in order are the classes; raises Unreadable.

    The hash is of the names and sizes of all pictures, and of no place above `path`.
    """
    if not Path(path).is_dir():
        raise Unreadable(f"{path}: no such folder")
    folders = sorted(one for one in Path(path).rglob("*/") if one.is_dir())
    return _contents(path, tuple((str(one), one.stat().st_mtime_ns) for one in folders))


@lru_cache(maxsize=8)
def _contents(path: str, folders: tuple[tuple[str, int], ...]) -> Contents:
    """Return the contents of folders that were last changed at these times."""
    above = Path(path)
    classes = sorted(one.name for one in above.iterdir() if one.is_dir() and not one.name.startswith("."))
    files = [file for name in classes for file in sorted((above / name).rglob("*")) if _is_picture(file)]
    if not files:
        raise Unreadable(f"{path}: no pictures in folders there, one folder for each class")
    named = "".join(f"{file.relative_to(above).as_posix()} {file.stat().st_size}\n" for file in files)
    digest = hashlib.sha256("\n".join([*classes, named]).encode()).hexdigest()[:12]
    names = tuple(map(str, files))
    return Contents(names, (1,) * len(names), len(classes), len(classes) - 1, digest, tuple(classes))


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS and file.is_file()


class Folder:
    """Encoded images by number, and all labels."""

    def __init__(self, path: str, found: Contents) -> None:
        import numpy as np  # planning does without

        self._files = found.files
        number = {name: label for label, name in enumerate(found.classes)}
        self.labels = np.array([number[Path(file).relative_to(path).parts[0]] for file in found.files])

    def encoded(self, row: int) -> bytes:
        """Return the bytes of an image."""
        return Path(self._files[row]).read_bytes()


def folder(path: str, found: Contents) -> Folder:
    """Return the images below `path`; raises BadImage where pictures are damaged."""
    sound = cache.folder() / f"{found.digest}.sound"
    if not sound.exists():
        _check(found)
        with cache.appearing(sound):
            pass  # that it is there says enough
    return Folder(path, found)


def _check(found: Contents) -> None:
    """Raise BadImage where pictures are damaged."""
    from scalectl.trainer.damage import damage, refuse  # planning does without Pillow

    damaged = []
    for file in found.files:
        with Path(file).open("rb") as opened:
            if why := damage(_mapped(opened)):
                damaged.append(f"{file}: {why}")
    refuse(damaged)


def _mapped(opened: BinaryIO) -> Any:
    """Return the bytes of a file, of which only those that are looked at are read."""
    return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if opened.seek(0, 2) else b""
