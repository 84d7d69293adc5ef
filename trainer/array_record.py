"""Pictures in ArrayRecord files: what planning knows of them."""

from functools import lru_cache

from scalectl.trainer import records
from scalectl.trainer.files import Contents, Unreadable, matching


def contents(path: str) -> Contents:
    """Return what is in the ArrayRecord files at a path: a file, a folder, or a pattern such as train.array_record-*.

    Raises Unreadable.
    """
    found = matching(path, "*array_record*", "ArrayRecord")
    return _contents(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found))


@lru_cache(maxsize=8)
def _contents(files: tuple[tuple[str, int, int], ...]) -> Contents:
    names = [file for file, *_ in files]
    counts = [len(records.ArrayRecords(file)) for file in names]
    if not any(counts):
        raise Unreadable(f"{names[0]}: no records")
    return records.contents(names, counts)
