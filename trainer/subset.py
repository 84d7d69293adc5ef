"""Some images of a source: in memory, or made when they are asked for."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scalectl.trainer.pictures import in_range


@dataclass(frozen=True)
class Images:
    """Images (count, height, width, channels) with values from -1 to 1, and their labels (count)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Images":
        """Return some of the images, in the order of `rows`."""
        return Images(self.pixels[rows], self.labels[rows])

    def first(self, count: int) -> "Images":
        """Return the first `count` images."""
        return self.take(np.arange(count))


class Source(Protocol):
    """Where single images and labels are had by their numbers."""

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Return images (count, height, width, channels) as bytes, and as evaluation sees them."""

    def cropped(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Return the same of random parts of the images, each as its own draws say."""

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return labels (count), or where images may have several, ones at them and zeros (count, num_classes)."""


@dataclass(frozen=True)
class Lazy:
    """Rows of a source that stay where they are until some are asked for."""

    source: Source
    rows: Any  # numbers in an array, or a range of any length

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> "Lazy":
        """Return the first `count` images."""
        return Lazy(self.source, self.rows[:count])

    def at(self, places: Any) -> np.ndarray:
        """Return the source's numbers of the images at places, or in a slice, of this subset."""
        if isinstance(places, slice):
            return np.asarray(self.rows[places])
        if isinstance(self.rows, range):
            return self.rows.start + np.asarray(places)
        return self.rows[places]

    @property
    def pixels(self) -> "Read":
        """Return the images as what is read by slices or by rows."""
        return Read(self, lambda rows: in_range(self.source.colours(rows)))

    @property
    def labels(self) -> "Read":
        """Return the labels as what is read by slices or by rows."""
        return Read(self, self.source.labels)


@dataclass(frozen=True)
class Read:
    """What stands for an array of a subset's pixels or labels, and is one where it is indexed."""

    subset: Lazy
    read: Any

    def __len__(self) -> int:
        return len(self.subset)

    def __getitem__(self, places: Any) -> np.ndarray:
        found: np.ndarray = self.read(self.subset.at(places))
        return found
