"""Images in files as planning knows them: how many, of how many classes, and a hash that changes when they do."""

from dataclasses import dataclass


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
