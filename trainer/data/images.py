"""Some images of a source by number: in memory, generated, or decoded from files when they are needed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from scalectl.trainer.data import pictures
from scalectl.trainer.data.augment import box
from scalectl.trainer.data.decoding import Decoding
from scalectl.trainer.data.decoding_rate import Meter
from scalectl.trainer.data.headers import DEFAULTS, BadImage, Picture, opened
from scalectl.trainer.data.labels import Labels, Several, checked
from scalectl.trainer.data.pictures import in_range
from scalectl.trainer.data.registry import Part, RandomAccess, Store

READ_TOGETHER = 16  # pictures read before any of them is decoded: measured, turn and turn about is slower


@dataclass(frozen=True)
class Images:
    """Images (count, height, width, channels) with values from -1 to 1, and their labels (count)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Images":
        """Some of the images, in the order of `rows`."""
        return Images(self.pixels[rows], self.labels[rows])

    def first(self, count: int) -> "Images":
        """The first `count` images."""
        return self.take(np.arange(count))


@dataclass(frozen=True)
class Lazy:
    """Rows of a source that stay where they are until some are indexed."""

    source: RandomAccess
    rows: Any  # numbers in an array, or a range of any length

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> "Lazy":
        """The first `count` images."""
        return Lazy(self.source, self.rows[:count])

    def source_rows(self, positions: Any) -> np.ndarray:
        """The source's numbers of the images at positions, or in a slice, of this subset."""
        if isinstance(positions, slice):
            return np.asarray(self.rows[positions])
        if isinstance(self.rows, range):
            return self.rows.start + np.asarray(positions)
        return self.rows[positions]

    @property
    def pixels(self) -> "LazyArray":
        """The images (count, height, width, channels) with values from -1 to 1."""
        return LazyArray(self, lambda rows: in_range(self.source.colours(rows)))

    @property
    def labels(self) -> "LazyArray":
        """The labels (count), or ones at them and zeros (count, num_classes)."""
        return LazyArray(self, self.source.labels)


@dataclass(frozen=True)
class LazyArray:
    """Pixels or labels of a subset, an array once they are indexed by positions or by a slice."""

    subset: Lazy
    read: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.subset)

    def __getitem__(self, positions: Any) -> np.ndarray:
        return self.read(self.subset.source_rows(positions))


@dataclass(frozen=True)
class Encoded:
    """The pictures in a part of a source, whose contents have the hash `content`, decoded when they are needed."""

    part: Part
    content: str
    num_classes: int
    image_size: int
    resize: int  # smaller side before the central crop
    decoding: Decoding = DEFAULTS

    def all_labels(self) -> Labels:
        """The labels of all images; raises Unreadable where one is missing or is no class."""
        return _checked_labels(self)

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Labels (count), or where images may have several, ones at them and zeros (count, num_classes)."""
        labels = self.all_labels()
        if isinstance(labels, Several):
            return labels.hot(rows, self.num_classes)
        return labels[rows]

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Images (count, height, width, 3) as bytes: resized, and their central squares."""
        return self._decoded(rows, lambda picture, _: pictures.middle(picture, self.image_size, self.resize))

    def cropped(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Random parts of images (count, height, width, 3) as bytes, each as its own draws say."""

        def part(picture: Picture, position: int) -> np.ndarray:
            return pictures.crop(picture, box(*picture.size, draws[position]), self.image_size)

        return self._decoded(rows, part)

    def whole(self, rows: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """The sizes of pictures (count, 2), and all of each as a square (count, side, side, 3) of bytes."""
        sizes = []

        def square(picture: Picture, _: int) -> np.ndarray:
            sizes.append(picture.size)
            return pictures.crop(picture, (0, 0, *picture.size), side)

        squares = self._decoded(rows, square)
        return np.array(sizes), squares

    def locate(self, row: int) -> str:
        """The file and row of an image."""
        return self.part.contents().locate(row)

    def store(self) -> Store:
        """The encoded images."""
        return self.part.store(self.content)

    def _decoded(self, rows: np.ndarray, square: Callable[[Picture, int], np.ndarray]) -> np.ndarray:
        """The squares of pictures and their positions among `rows`; raises BadImage with file and row."""
        store, squares, row = self.store(), [], 0
        began = time.thread_time()
        try:
            for start in range(0, len(rows), READ_TOGETHER):
                group, encoded = rows[start : start + READ_TOGETHER].tolist(), {}
                for row in group:
                    encoded[row] = store.encoded(row)
                for position, row in enumerate(group, start):
                    squares.append(square(opened(encoded[row], self.decoding), position))
        except BadImage as error:
            raise BadImage(f"{self.locate(row)}: {error}") from error
        _meter(self.content, self.image_size).add(len(squares), time.thread_time() - began)
        return np.stack(squares)


@lru_cache(maxsize=4)
def _meter(content: str, side: int) -> Meter:
    return Meter(content, side)


@lru_cache(maxsize=4)
def _checked_labels(source: Encoded) -> Labels:
    return checked(source.store().labels, source.num_classes, source.locate)
