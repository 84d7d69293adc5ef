"""How many images of each class files have, from their labels alone."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

from scalectl.trainer.files import Contents, Unreadable
from scalectl.trainer.stores import contents


def census(kind: str, path: str) -> Counter[int] | None:
    """Return the number of images by class, or nothing where counting would mean to read the images; raises Unreadable.

    Labels that no image has are missing.
    """
    return _census(kind, path, contents(kind, path))


@lru_cache(maxsize=8)
def _census(kind: str, path: str, found: Contents) -> Counter[int] | None:
    if found.classes:
        number = {name: label for label, name in enumerate(found.classes)}
        return Counter(number[Path(file).relative_to(path).parts[0]] for file in found.files)
    if kind != "parquet" or found.several_labels:
        return None
    return sum((_labels(file) for file in found.files), Counter())


def _labels(file: str) -> Counter[int]:
    """Return how often each label stands in a parquet file, of which no other column is read."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        counts = ParquetFile(file).read(columns=["label"]).column("label").value_counts()
    except (OSError, KeyError, ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error
    return Counter({one["values"]: one["counts"] for one in counts.to_pylist()})
