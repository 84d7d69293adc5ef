"""Folders of pictures, one for each class: what planning knows of them, and their bytes."""

import hashlib
import mmap
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from scalectl.trainer import cache
from scalectl.trainer.data import splits
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.selection import Selection

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def contents(path: str, selection: Selection) -> Contents:
    """What is in the folders of a folder, whose names in order are the classes; raises Unreadable.

    Of a folder of splits one is read. The hash is of the names and sizes of all pictures, and of no folder above.
    """
    if not Path(path).is_dir():
        raise Unreadable(f"{path}: no such folder")
    groups, split, root = splits.folders(path), "", path
    if groups:
        split = splits.chosen(groups, selection.purpose, path)
        [root] = groups[split]
    folders = sorted(folder for folder in Path(root).rglob("*/") if folder.is_dir())
    pictures = _contents(root, tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders))
    return replace(pictures, split=split, splits=tuple((name, 1) for name in groups))


@lru_cache(maxsize=8)
def _contents(path: str, folders: tuple[tuple[str, int], ...]) -> Contents:
    """The contents of folders that were last changed at these times."""
    root = Path(path)
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    files = [file for name in classes for file in sorted((root / name).rglob("*")) if _is_picture(file)]
    if not files:
        raise Unreadable(f"{path}: no pictures in folders there, one folder for each class")
    lines = "".join(f"{file.relative_to(root).as_posix()} {file.stat().st_size}\n" for file in files)
    digest = hashlib.sha256("\n".join([*classes, lines]).encode()).hexdigest()[:12]
    names = tuple(map(str, files))
    return Contents(names, (1,) * len(names), len(classes), len(classes) - 1, digest, tuple(classes), single=True)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS and file.is_file()


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label, without folders that have none."""
    return Counter(_labels(path, contents))


def _labels(path: str, contents: Contents) -> list[int]:
    """The label of each picture: the number of the folder that it is in, at any depth."""
    number = {name: label for label, name in enumerate(contents.classes)}
    depth = int(contents.split != "")  # of the folders of classes
    return [number[Path(file).relative_to(path).parts[depth]] for file in contents.files]


class Folder:
    """Encoded images by number, and all labels."""

    def __init__(self, path: str, contents: Contents) -> None:
        import numpy as np  # planning does without

        self._files = contents.files
        self.labels = np.array(_labels(path, contents))

    def encoded(self, row: int) -> bytes:
        """The bytes of an image."""
        return Path(self._files[row]).read_bytes()


def store(path: str, digest: str, selection: Selection) -> Folder:
    """The pictures below `path`; raises Unreadable, or BadImage where some are damaged."""
    pictures = contents(path, selection).expect(digest, path)
    sound = cache.folder() / f"{digest}.sound"
    if not sound.exists():
        _check(pictures)
        with cache.appearing(sound):
            pass  # an empty file says enough
    return Folder(path, pictures)


def _check(contents: Contents) -> None:
    """Raise BadImage where pictures are damaged."""
    from scalectl.trainer.data.pictures import damage, refuse  # planning does without Pillow

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
