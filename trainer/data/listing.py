"""Pictures that a table or a list of text names, with their labels: csv:FILE, and the list of a flat folder.

Standard library only, so that planning does without NumPy.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scalectl.trainer.counting import few
from scalectl.trainer.data import splits
from scalectl.trainer.data.classes import is_label, numbered, stray
from scalectl.trainer.data.endings import ENDINGS, ending
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.loose import Loose, checked
from scalectl.trainer.data.loose import class_counts as class_counts
from scalectl.trainer.data.loose import pictures as pictures
from scalectl.trainer.data.loose import samples as samples
from scalectl.trainer.selection import Selection

IMAGES = ("image", "file_name", "filename", "filepath", "file", "path", "image_path", "img", "imageid")
LABELS = ("label", "labels", "fine_label", "class", "class_name", "category", "target", "predictionstring")
SPLITS = ("split", "subset", "set", "data set")  # columns that say which split a picture is of


@dataclass(frozen=True)
class Entry:
    """A line of a list: its number, the picture that it names and the label as text."""

    line: int
    picture: str
    label: str
    split: str = ""


def contents(path: str, selection: Selection) -> Contents:
    """The pictures that a table names, with the labels beside them; relative paths begin at the table's folder.

    Raises Unreadable.
    """
    if not Path(path).is_file():
        raise Unreadable(f"{path}: no such file")
    stat = Path(path).stat()
    return _listed(path, stat.st_size, stat.st_mtime_ns, selection)


@lru_cache(maxsize=8)
def _listed(path: str, size: int, changed: int, selection: Selection) -> Contents:
    entries, columns = _table(path, selection)
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(splits.keyword_split(entry.split) or entry.split, []).append(entry.picture)
    split, pictures = splits.select(groups, selection.purpose, path)
    own = set(pictures)
    chosen = [entry for entry in entries if len(groups) == 1 or entry.picture in own]
    base = Path(path).parent
    files = [str(base / entry.picture) for entry in chosen]
    return labelled(path, files, chosen, selection.classes, columns, split, splits.sizes(groups))


def labelled(
    path: str,
    files: Sequence[str],
    entries: Sequence[Entry],
    classes: Sequence[str],
    columns: tuple[str, str] = ("", ""),
    split: str = "",
    sizes: tuple[tuple[str, int], ...] = (),
) -> Contents:
    """The contents of files with the labels of a list; raises Unreadable where a file or a class isn't there."""
    words = bool(classes) or not all(entry.label.isdecimal() for entry in entries)
    if not classes and (mistake := stray([entry.label for entry in entries])):
        raise Unreadable(f"{path}, line {entries[mistake[0]].line:,}: {mistake[1]}")
    names = tuple(classes) or (numbered((entry.label for entry in entries), (), path) if words else ())
    numbers: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    digest, labels = hashlib.sha256("\n".join(names).encode()), []
    for file, entry in zip(files, entries, strict=True):
        if words and entry.label not in numbers:
            raise Unreadable(f"{path}, line {entry.line:,}: {entry.label!r} is no class of the training images")
        label = numbers[entry.label] if words else int(entry.label)
        labels.append(label)
        digest.update(f"{entry.picture} {_size(file, path, entry)} {label}\n".encode())
    return Contents(
        files=tuple(files),
        counts=(1,) * len(files),
        num_classes=len(names) or None,
        largest=max(labels),
        digest=digest.hexdigest()[:12],
        classes=names,
        single=True,
        words=words,
        split=split,
        splits=sizes,
        columns=columns,
        labels=tuple(labels),
    )


def _size(file: str, path: str, entry: Entry) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116 - in a hurry
    except OSError as error:
        raise Unreadable(f"{path}, line {entry.line:,}: {file}: {error.strerror}") from error


def _table(path: str, selection: Selection) -> tuple[list[Entry], tuple[str, str]]:
    """The lines of a table, and the names of its columns; without a header the first two are meant."""
    sign, rows = rows_of(path)
    if not rows:
        raise Unreadable(f"{path}: no lines")
    header = [name.strip().lower() for name in rows[0][1]]
    image = _column(header, selection.image, IMAGES)
    label = _column(header, selection.label, LABELS)
    split = _column(header, "", SPLITS)
    names = (selection.image, selection.label)
    if not any(names) and len(header) == 2 and ending(header[0]) in ENDINGS:
        image, label, split = 0, 1, None
    elif image is None or label is None:
        missing = "pictures" if image is None else "labels"
        key = "image" if image is None else "label"
        listed = few([name.strip() for name in rows[0][1]])
        question = f"which column has the {missing}? Write data.columns: {{{key}: NAME}}; there are {listed}"
        raise Unreadable(f"{path}, line {rows[0][0]}: {question}")
    else:
        names = (rows[0][1][image].strip(), rows[0][1][label].strip())
        rows = rows[1:]
    if sign == " ":
        _labels_are_whole(path, rows, len(header), label)
    entries = list(_entries(path, rows, image, label, split))
    refuse_repeats(path, entries)
    return entries, (names[0], names[1])


def _column(header: Sequence[str], given: str, known: Iterable[str]) -> int | None:
    """The number of the column of a name, or of the first known name that is there."""
    names = [given.lower()] if given else known
    return next((header.index(name) for name in names if name in header), None)


def _entries(
    path: str, rows: Iterable[tuple[int, list[str]]], image: int, label: int, split: int | None
) -> Iterator[Entry]:
    for line, row in rows:
        if len(row) <= max(image, label) or not row[image].strip() or not row[label].strip():
            raise Unreadable(f"{path}, line {line:,}: no picture or no label")
        if not is_label(row[label].strip()):
            raise Unreadable(f"{path}, line {line:,}: {row[label].strip()!r} is no label")
        picture = row[image].strip().replace("\\", "/")
        yield Entry(line, picture, plain(row[label].strip()), row[split].strip() if split is not None else "")


def _labels_are_whole(path: str, rows: Iterable[tuple[int, list[str]]], width: int, label: int) -> None:
    """Raise Unreadable where a label that is words would be cut at a blank."""
    for line, row in rows:
        if len(row) > width and not plain(row[label]).isdecimal():
            message = f"{len(row)} words, and {width} on the first line: put a label with blanks in quotation marks"
            raise Unreadable(f"{path}, line {line:,}: {message}")


def plain(label: str) -> str:
    """A label as text, a whole number that was written as a float as that number."""
    return re.sub(r"^(\d+)\.0+$", r"\1", label)


def refuse_repeats(path: str, entries: Sequence[Entry]) -> None:
    """Raise Unreadable where there are no entries, or a picture comes twice."""
    if not entries:
        raise Unreadable(f"{path}: no pictures")
    lines: dict[str, int] = {}
    for entry in entries:
        if (before := lines.setdefault(os.path.normpath(entry.picture), entry.line)) != entry.line:
            raise Unreadable(f"{path}, line {entry.line:,}: {entry.picture} is on line {before:,} already")


def rows_of(path: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """What parts the cells of a table (tab, comma, semicolon or blank), and its lines by number; raises Unreadable."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            stream.seek(0)
            sign = next((sign for sign in "\t,;" if sign in first), " ")
            reader = csv.reader(stream, delimiter=sign, skipinitialspace=True, strict=True)
            return sign, [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"{path}: {error}") from error


def store(path: str, digest: str, selection: Selection) -> Loose:
    """The pictures of a table; raises Unreadable, or BadImage where some are damaged."""
    return checked(contents(path, selection).expect(digest, path))
