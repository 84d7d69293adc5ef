"""The pictures of one flat folder with a list of their labels, as ImageNet's validation split is published."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scalectl.trainer.counting import counted
from scalectl.trainer.data.endings import ENDINGS, ending, without_leftovers
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.listing import Entry, labelled, plain, refuse_repeats, rows_of

DEVKIT = "ILSVRC2012_validation_ground_truth"  # begins the name of a list whose numbers are of an order of its own


def contents(folder: str, path: str, classes: Sequence[str]) -> Contents:
    """The pictures of one flat folder with the labels of a list: NAME LABEL a line, or LABEL alone in order of names.

    Labels are names of classes, or their numbers, with other words behind them or not. Names may lack their endings.
    Raises Unreadable.
    """
    below = Path(folder)
    pictures = sorted(file for file in below.rglob("*") if ending(file.name) in ENDINGS and file.is_file())
    pictures = [file for file in pictures if without_leftovers(file.relative_to(below).parts)]
    sign, rows = rows_of(path)
    if not pictures or not rows:
        raise Unreadable(f"{folder}: no pictures" if not pictures else f"{path}: no lines")
    by_name = {file.name: file for file in pictures} | {file.stem: file for file in pictures}
    known = frozenset(classes)
    alone = all(len(row) == 1 for _, row in rows) or (sign == " " and all(" ".join(row) in known for _, row in rows))
    if not alone and len(rows[0][1]) > 1 and Path(rows[0][1][0].strip()).name not in by_name:
        rows = rows[1:]  # a header
    if len(rows) != len(pictures):
        raise Unreadable(f"{path}: {counted(len(rows), 'label')}, and {counted(len(pictures), 'picture')} in {folder}")
    if alone:
        lines = [(line, file, row) for (line, row), file in zip(rows, pictures, strict=True)]
    else:
        end = None if sign == " " else 2  # a label with blanks is several cells where blanks part them
        lines = [(line, _named(path, line, row[0], by_name), row[1:end]) for line, row in rows]
    entries = [Entry(line, file.relative_to(below).as_posix(), _label(cells, known)) for line, file, cells in lines]
    refuse_repeats(path, entries)
    if all(entry.label.isdecimal() for entry in entries) and not {entry.label for entry in entries} <= set(classes):
        entries = _by_number(path, entries, classes)
    return labelled(path, [str(file) for _, file, _ in lines], entries, classes)


def _named(path: str, line: int, name: str, by_name: Mapping[str, Path]) -> Path:
    file = by_name.get(Path(name.strip()).name)
    if file is None:
        raise Unreadable(f"{path}, line {line:,}: no picture {name.strip()}")
    return file


def _label(cells: Sequence[str], known: Collection[str]) -> str:
    """The class that the words of a label name: all of them, or else the first, as of `n01440764 10 85 190 240`."""
    whole = plain(" ".join(cells).strip())
    first = plain((whole.split() or [""])[0])
    return first if whole not in known and (first in known or first.isdecimal()) else whole


def _by_number(path: str, entries: Sequence[Entry], classes: Sequence[str]) -> list[Entry]:
    """Entries with names in place of the numbers of classes, which count from 0 in the order of the names."""
    largest, least = (order(int(entry.label) for entry in entries) for order in (max, min))
    if largest >= len(classes) or DEVKIT in Path(path).name:
        hint = "ImageNet's ground truth counts from 1 in an order of its own: give a list with class names"
        raise Unreadable(
            f"{path}: labels are {least:,} to {largest:,}, and classes 0 to {len(classes) - 1:,} by name; {hint}"
        )
    return [Entry(entry.line, entry.picture, classes[int(entry.label)]) for entry in entries]
