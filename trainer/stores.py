"""Images in files by the kind of files that they are in."""

from functools import lru_cache
from typing import Any, Protocol

from scalectl.trainer.files import Contents, Unreadable, remote


class Store(Protocol):
    """Encoded images by number, and all labels."""

    labels: Any  # an array; planning does without NumPy

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image, or nothing where it has none."""


def contents(kind: str, path: str) -> Contents:
    """Return what is in the image files at a path, read from as little of them as will do; raises Unreadable."""
    if kind == "parquet":
        from scalectl.trainer import parquet

        return parquet.contents(path)
    if remote(path):
        raise Unreadable(f"{path}: only parquet files are read from buckets; copy it here, or mount it")
    if kind == "array_record":
        from scalectl.trainer import array_record

        return array_record.contents(path)
    if kind == "tfds":
        from scalectl.trainer import tfds

        return tfds.contents(path)
    from scalectl.trainer import folder

    return folder.contents(path)


@lru_cache(maxsize=4)
def store(kind: str, path: str, content: str) -> Store:
    """Return the images at a path, whose contents have the hash `content`, once in each process.

    Raises Unreadable, or BadImage where pictures are damaged.
    """
    if kind == "parquet":
        from scalectl.trainer.unpacked import unpacked

        return unpacked(path, content)
    found = contents(kind, path)
    if found.digest != content:
        raise Unreadable(f"{path}: the files have changed since the study was planned")
    if kind == "folder":
        from scalectl.trainer.folder import folder

        return folder(path, found)
    from scalectl.trainer.scanned import scanned

    return scanned(found)
