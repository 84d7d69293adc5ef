"""Pictures in ArrayRecord files."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from scalectl.trainer.data import records, splits
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.registry import Store
from scalectl.trainer.data.storage import matching, root
from scalectl.trainer.selection import Selection


def contents(path: str, selection: Selection) -> Contents:
    """What is in the ArrayRecord files at a path: a file, a folder, or a pattern such as train.array_record-*.

    Raises Unreadable.
    """
    groups = splits.grouped(list(map(str, matching(path, "*array_record*", "ArrayRecord"))), root(path))
    split, files = splits.select(groups, selection.purpose, path)
    stats = {file: Path(file).stat() for file in files}
    known = tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats.items())
    return replace(_contents(known, selection), split=split, splits=splits.sizes(groups))


@lru_cache(maxsize=8)
def _contents(files: tuple[tuple[str, int, int], ...], selection: Selection) -> Contents:
    names = [file for file, *_ in files]
    counts = [len(records.ArrayRecords(file)) for file in names]
    if not any(counts):
        raise Unreadable(f"{names[0]}: no records")
    return records.contents(names, counts, selection)


def store(path: str, digest: str, selection: Selection) -> Store:
    """The images of ArrayRecord files; raises Unreadable, or BadImage where pictures are damaged."""
    from scalectl.trainer.data.record_index import indexed  # planning does without NumPy

    return indexed(contents(path, selection).expect(digest, path))


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """None: labels can't be had without the pictures beside them."""
    return None


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each picture; raises Unreadable."""
    yield from records.pictures(contents)


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` images; of a record that can't be read there are none."""
    return records.samples(contents, most)
