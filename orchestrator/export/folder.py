"""The folder of an export: made beside its place and moved there whole, and replaced only where it is one of ours."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Refusal

MARKER = "scalectl-export.json"  # in each folder that was exported
LAYOUT = 4  # of exports; raised when the same content is written in another way


@dataclass(frozen=True)
class Mark:
    """What an export says of itself, to which format and of which content it is."""

    target: str
    study: str
    fingerprint: str  # empty while it is written live

    def write(self, folder: Path, files: dict[str, int]) -> None:
        """Put the mark into a folder with these files and their bytes."""
        said = {"scalectl": version("scalectl"), "layout": LAYOUT, "target": self.target, "study": self.study}
        text = json.dumps(said | {"content": self.fingerprint, "files": files}, indent=1)
        (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def place(folder: Path, mark: Mark, ours: Callable[[str], bool], write: Callable[[Path], None]) -> bool:
    """Have `write` fill a new folder and put it at `folder`; False where the same export is there already.

    `ours` says of a path in the folder whether an export to this target has such a file. Raises Refusal for a folder
    that has any other file, or that can't be written; an export that fails leaves what was there.
    """
    before = read_mark(folder)
    if before is not None and _same(folder, before, mark, ours):
        return False
    check_replaceable(folder, mark.target, ours)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror}.") from error
    try:
        partial.chmod(0o777 & ~_umask())
        write(partial)
        mark.write(partial, listed(partial))
        _swap(partial, folder)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def read_mark(folder: Path) -> dict[str, Any] | None:
    """The mark of a folder, or None where it has none that can be read."""
    try:
        said = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict):
        return None
    return said


def check_replaceable(folder: Path, target: str, ours: Callable[[str], bool]) -> None:
    """Raise Refusal where `folder` is there and anything else than an export to `target`."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Refusal(f"refused: {folder} is there already and is no folder. Give another one.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    mark = read_mark(folder)
    if mark is None or mark.get("target") != target:
        raise Refusal(f"refused: {folder} holds something else than an export to {target}. Give another folder.")
    strangers = sorted(name for name in listed(folder) if name != MARKER and not ours(name))
    if strangers:
        raise Refusal(f"refused: {folder} also holds {strangers[0]}, which no export wrote. Give another folder.")


def check_writable(folder: Path) -> None:
    """Raise Refusal where no folder can be made at the place of `folder`; nothing is left there."""
    above = folder.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    try:
        Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=above)).rmdir()
    except OSError as error:
        raise Refusal(f"refused: {folder} can't be written: {above}: {error.strerror}. Give another folder.") from error


def listed(folder: Path) -> dict[str, int]:
    """The bytes of each file of a folder but the mark, by its path from there; a link is listed, and not followed."""
    found = {}
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*files, *links):
            path = Path(parent, name)
            found[path.relative_to(folder).as_posix()] = path.lstat().st_size
    return {name: size for name, size in sorted(found.items()) if name != MARKER}


def _same(folder: Path, before: dict[str, Any], mark: Mark, ours: Callable[[str], bool]) -> bool:
    """Whether all that was written is there as it was; what the target's program left beside it may stay. What is
    written live begins anew: where an export was cut off, half of it is there.
    """
    if not mark.fingerprint:
        return False
    said = (before.get("layout"), before.get("target"), before.get("study"), before.get("content"))
    written, there = before.get("files"), listed(folder)
    if said != (LAYOUT, mark.target, mark.study, mark.fingerprint) or not isinstance(written, dict):
        return False
    return written.items() <= there.items() and all(ours(name) for name in there.keys() - written.keys())


def _swap(partial: Path, folder: Path) -> None:
    """Put the finished folder at its place; what was there is removed only after that."""
    if not folder.exists():
        partial.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    folder.rename(old)  # onto an empty folder, which POSIX allows
    try:
        partial.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
