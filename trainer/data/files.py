"""Images in files as planning knows them: how many, of how many classes, and a hash that changes when they do."""

from dataclasses import dataclass
from glob import glob
from pathlib import Path


class Unreadable(ValueError):  # noqa: N818 - what is wrong lies in the files
    """Files that hold no images as they should; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Contents:
    """Files of images in order: how many each has, what they say of their labels, and a hash that tells them apart."""

    files: tuple[str, ...]
    counts: tuple[int, ...]
    num_classes: int | None  # that the files declare
    largest: int | None  # label, where that is known without reading all of them
    digest: str
    classes: tuple[str, ...] = ()  # by name, where each has a folder of its own
    several_labels: bool = False  # of one image

    @property
    def num_images(self) -> int:
        """Return how many images all files have."""
        return sum(self.counts)

    def place(self, row: int) -> str:
        """Return the file and the row in it of image number `row`; pictures that are files have no row."""
        if self.classes:
            return self.files[row]
        for file, count in zip(self.files, self.counts, strict=True):
            if row < count:
                return f"{file}, row {row:,}"
            row -= count
        raise IndexError(row)


def remote(path: str) -> bool:
    """Return whether a path lies in a bucket."""
    return path.startswith(("gs://", "s3://"))


def matching(path: str, pattern: str, kind: str) -> list[Path]:
    """Return the files that a path means: one, all below a folder that match `pattern`, or those of its own pattern.

    Raises Unreadable where there are none.
    """
    place = Path(path)
    if place.is_dir():
        found = list(place.rglob(pattern))
    else:
        found = [place] if place.exists() else list(map(Path, glob(path, recursive=True)))  # noqa: PTH207 - absolute
    files = sorted(one for one in found if one.is_file())
    if not files:
        raise Unreadable(f"{path}: no {kind} files there")
    return files
