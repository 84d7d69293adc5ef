"""What planning knows of images before any is read: counts, and a hash of their files; standard library only."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

ENDLESS = 2**48  # images of a source that generates them, more than anyone can see
PLENTY = 10_000  # of them that evaluations take to train on


class Unreadable(ValueError):  # noqa: N818 - what is wrong lies in the files
    """Files that hold no images as they should; the message names the file and what is wrong with it."""


POINTER = b"version https://git-lfs.github.com/spec/"  # how a file begins that Git LFS has not fetched
POINTS = "a pointer of Git LFS, not the file itself: git lfs pull fetches it"


class Facts(NamedTuple):
    """Counts of a source; its images are squares of `image_size` pixels, 0 where their side is for the study to say."""

    num_images: int
    image_size: int
    channels: int
    num_classes: int

    @property
    def endless(self) -> bool:
        """Whether images are generated as they are needed."""
        return self.num_images == ENDLESS


@dataclass(frozen=True)
class Contents:
    """Files of images in order: how many each has, what they say of their labels, and a hash that tells them apart."""

    files: tuple[str, ...]
    counts: tuple[int, ...]
    num_classes: int | None  # that the files declare
    largest: int | None  # label, where that is known without reading all of them
    digest: str
    classes: tuple[str, ...] = ()  # their names in the order of labels, where the files have them
    several_labels: bool = False  # of one image
    single: bool = False  # each file is one picture
    labels: tuple[int, ...] = ()  # of pictures that are files, in their order
    words: bool = False  # labels are words in the files, numbered in the order of `classes`
    split: str = ""  # that these files are, where those at the path are of several
    splits: tuple[tuple[str, int], ...] = ()  # all of these by name, with the number of their files
    flat: tuple[str, ...] = ()  # folders of splits that aren't read, for they have no folders of classes
    columns: tuple[str, str] = ("", "")  # of pictures and labels, where the files have columns
    left_out: tuple[tuple[str, int], ...] = ()  # files that are not read: their ending or what they are, how many

    @property
    def num_images(self) -> int:
        """The images of all files."""
        return sum(self.counts)

    @property
    def place(self) -> str:
        """A hash that tells where these files lie; `digest` is the same wherever they do."""
        return hashlib.sha256("\n".join(self.files).encode(errors="surrogateescape")).hexdigest()[:12]

    @property
    def facts(self) -> Facts:
        """The counts of these images; no classes where the files don't tell how many there are."""
        labels = 0 if self.largest is None else self.largest + 1
        return Facts(self.num_images, 0, 3, self.num_classes or labels)

    @property
    def numbers(self) -> dict[str, int] | None:
        """The number of each word that is a label; None where labels are numbers."""
        if not self.words:
            return None
        return {name: number for number, name in enumerate(self.classes)}

    def locate(self, row: int) -> str:
        """The file and the row in it of image number `row`; pictures that are files have no row."""
        if self.single:
            return self.files[row]
        for file, count in zip(self.files, self.counts, strict=True):
            if row < count:
                return f"{file}, row {row:,}"
            row -= count
        raise IndexError(row)

    def spread(self, most: int) -> list[int]:
        """The numbers of up to `most` images, evenly spaced over all files; each file that has any is as good."""
        total = self.num_images
        taken = min(total, most)
        return [total * number // taken for number in range(taken)]

    def expect(self, digest: str, path: str) -> "Contents":
        """These contents; raises Unreadable where `digest` is the hash of others that lay at `path`."""
        if self.digest != digest:
            raise Unreadable(f"{path}: the files have changed since the study was planned")
        return self
