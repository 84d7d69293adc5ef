"""Pictures in ArrayRecord files."""

from dataclasses import replace
from functools import lru_cache

from scalectl.trainer.data import records, splits
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.records import class_counts, pictures, samples
from scalectl.trainer.data.registry import Store
from scalectl.trainer.data.storage import matching, root, versions
from scalectl.trainer.selection import Selection

__all__ = ["class_counts", "contents", "pictures", "samples", "store"]


def contents(path: str, selection: Selection) -> Contents:
    """What is in the ArrayRecord files at a path: a file, a folder, or a pattern such as train.array_record-*.

    Raises Unreadable.
    """
    groups = splits.grouped(list(map(str, matching(path, "*array_record*", "ArrayRecord"))), root(path))
    split, files = splits.select(groups, selection.purpose, path)
    return replace(_contents(versions(files), selection), split=split, splits=splits.sizes(groups))


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
