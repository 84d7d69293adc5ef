"""Folders of pictures, one for each class: what planning knows of them, and their bytes."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scalectl.trainer.data import flat, splits
from scalectl.trainer.data.endings import ENDINGS, ending, leftover
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.loose import Loose, checked
from scalectl.trainer.data.loose import class_counts as class_counts
from scalectl.trainer.data.loose import pictures as pictures
from scalectl.trainer.data.loose import samples as samples
from scalectl.trainer.selection import Selection

Times = dict[str, int]  # when folders were last changed, in nanoseconds

_WALKED: dict[str, tuple[Times, Contents]] = {}  # folders that this process knows
MAX_WALKED = 8


def contents(path: str, selection: Selection) -> Contents:
    """What is in the folders of a folder, whose names in order are the classes; raises Unreadable.

    Of a folder of splits one is read. The hash is of the names and sizes of all pictures, and of no folder above.
    """
    if not Path(path).is_dir():
        raise Unreadable(f"{path}: no such folder")
    if selection.labels:
        return flat.contents(path, selection.labels, selection.classes)
    groups = splits.folders(path)
    if not groups:
        return _known(path)
    split = splits.chosen(groups, selection.purpose, path)
    [root] = groups[split]
    sizes = tuple((name, 1) for name in groups)
    return replace(_known(root), split=split, splits=sizes, flat=splits.flat_folders(path))


def _known(path: str) -> Contents:
    """The contents of a folder of classes, walked again where it was changed; raises Unreadable."""
    try:
        if path not in _WALKED or not _unchanged(_WALKED[path][0]):
            known = _walked(path)
            while len(_WALKED) >= MAX_WALKED:
                del _WALKED[next(iter(_WALKED))]
            _WALKED[path] = known
    except OSError as error:
        raise Unreadable(f"{error.filename}: {error.strerror}") from error
    return _WALKED[path][1]


def _unchanged(times: Times) -> bool:
    """Whether folders are as they were: a file that comes, goes or gets another name changes its folder's time."""
    try:
        return all(os.stat(folder).st_mtime_ns == time for folder, time in times.items())  # noqa: PTH116 - in a hurry
    except OSError:
        return False


def _walked(path: str) -> tuple[Times, Contents]:
    """When all folders were changed, and the contents of them; raises Unreadable or OSError."""
    times, left_out = {path: os.stat(path).st_mtime_ns}, Counter[str]()  # noqa: PTH116 - as above
    classes: list[str] = []
    files, lines, labels = [], [], []
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if leftover(entry.name):
            left_out["leftovers of other programs"] += 1
        elif entry.is_dir():
            pictures = sorted(_pictures(entry.path, (entry.name,), times, left_out))
            labels += [len(classes)] * len(pictures)
            classes.append(entry.name)
            files += [str(Path(path, *parts)) for parts, _ in pictures]
            lines += [f"{'/'.join(parts)} {size}\n" for parts, size in pictures]
        else:
            left_out[_kind(entry.name, "pictures beside the folders of classes")] += 1
    if not files:
        raise Unreadable(f"{path}: no pictures in folders there, one folder for each class")
    digest = hashlib.sha256("\n".join([*classes, "".join(lines)]).encode()).hexdigest()[:12]
    return times, Contents(
        files=tuple(files),
        counts=(1,) * len(files),
        num_classes=len(classes),
        largest=len(classes) - 1,
        digest=digest,
        classes=tuple(classes),
        single=True,
        left_out=tuple(left_out.most_common()),
        labels=tuple(labels),
    )


def _pictures(
    folder: str, above: tuple[str, ...], times: Times, left_out: Counter[str]
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the parts of the path and the size of each picture at any depth; links to folders are not followed."""
    times[folder] = os.stat(folder).st_mtime_ns  # noqa: PTH116 - as above
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = (*above, entry.name)
            if leftover(entry.name):
                left_out["leftovers of other programs"] += 1
            elif entry.is_dir(follow_symlinks=False):
                yield from _pictures(entry.path, parts, times, left_out)
            elif ending(entry.name) in ENDINGS and entry.is_file():
                yield parts, entry.stat().st_size
            else:
                left_out[_kind(entry.name, "links that lead nowhere and other things that are no files")] += 1


def _kind(name: str, picture: str) -> str:
    """How what is left out is counted: by its ending, or in the words for what is named as a picture is."""
    if ending(name) in ENDINGS:
        return picture
    return ending(name) or "files without an ending"


def store(path: str, digest: str, selection: Selection) -> Loose:
    """The pictures below `path`; raises Unreadable, or BadImage where some are damaged."""
    return checked(contents(path, selection).expect(digest, path))
