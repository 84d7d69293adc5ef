"""Images in files by the kind of files that they are in."""

from typing import Any, Protocol

from trainer.files import Contents


class Store(Protocol):
    """Encoded images by number, and all labels."""

    labels: Any  # an array; planning does without NumPy

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image, or nothing where it has none."""


def contents(kind: str, path: str) -> Contents:
    """Return what is in the image files at a path, read from as little of them as will do; raises Unreadable."""
    if kind == "parquet":
        from trainer import parquet

        return parquet.contents(path)
    from trainer import folder

    return folder.contents(path)


def store(kind: str, path: str, content: str) -> Store:
    """Return the images at a path, whose contents have the hash `content`, once in each process; raises Unreadable."""
    if kind == "parquet":
        from trainer.unpacked import unpacked

        return unpacked(path, content)
    from trainer.folder import folder

    return folder(path, content)
