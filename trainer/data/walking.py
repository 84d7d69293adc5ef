"""Files below a folder or of a pattern, found as Python's rglob and glob find them, within a bound.

`/**/*` would look at all of a machine before it says anything, and those two can't be told when to end.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from scalectl.trainer.data.facts import Unreadable

MAX_ENTRIES = 200_000  # files and folders that are looked at; the largest public sets have some thousand files


class Walk:
    """What a path of files leads to; raises Unreadable after `most` files and folders."""

    def __init__(self, path: str, most: int = MAX_ENTRIES) -> None:
        self._path, self._most, self._looked = path, most, 0

    def below(self, pattern: str) -> Iterator[Path]:
        """Yield the files at any depth below the path whose names match the pattern; links to folders are left out."""
        for folder, _, names in os.walk(self._path):
            for name in names:
                self._look()
                if fnmatchcase(name, pattern):
                    yield Path(folder, name)

    def matches(self) -> Iterator[Path]:
        """Yield what the path matches as a pattern, in which ** stands for any folders."""
        root, *parts = Path(self._path).parts
        yield from map(Path, self._matches(root, parts))

    def _matches(self, folder: str, parts: list[str]) -> Iterator[str]:
        if not parts:
            yield folder
            return
        part, *later = parts
        if not has_magic(part):
            path = os.path.join(folder, part)  # noqa: PTH118 - in a hurry
            if os.path.lexists(path):
                yield from self._matches(path, later)
            return
        if part == "**":
            yield from self._matches(folder, later)
            later = parts
        for entry in self._entries(folder, part):
            if _is_folder(entry):
                yield from self._matches(entry.path, later)
            elif later in ([], ["**"]):
                yield entry.path

    def _entries(self, folder: str, pattern: str) -> Iterator[os.DirEntry[str]]:
        """Yield what a folder has of a pattern; hidden entries only where the pattern begins with a dot too."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._look()
                    hidden = entry.name.startswith(".") and not pattern.startswith(".")
                    if not hidden and fnmatchcase(entry.name, pattern):
                        yield entry
        except OSError:
            return  # no folder, or not ours to read

    def _look(self) -> None:
        self._looked += 1
        if self._looked > self._most:
            limit = f"more than {self._most:,} files and folders to look at"
            raise Unreadable(f"{self._path}: {limit}: name a folder nearer to them")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False
