"""The batches of a trunk, each a function of seed and step alone."""

from functools import lru_cache
from typing import Any

import numpy as np

from scalectl.trainer.data.augment import Part, crop_draws, moved, moves
from scalectl.trainer.data.colours import Colours, stacked
from scalectl.trainer.data.images import Images
from scalectl.trainer.data.split import load
from scalectl.trainer.rng import Purpose, permutation, scattered
from scalectl.trainer.spec import TrunkSpec

ALL = slice(None)
MAX_ORDER = 2**20  # orders of more images than this are never held as a whole


class Batches:
    """The batches of a trunk; which images a step sees, and how they are moved, depends on seed and step alone."""

    def __init__(self, trunk: TrunkSpec, part: slice = ALL) -> None:
        self.part = part  # of each batch, that is made here; what is drawn for an image doesn't depend on it
        self.images = load(trunk.data)
        self._data, self._seed, self._size = trunk.data, trunk.seed, trunk.recipe.batch_size

    def stacked(self, step: int, count: int) -> tuple[Any, np.ndarray]:
        """Images (count, batch, height, width, channels) and labels (count, batch) from `step` updates on."""
        batches = [self.batch(number) for number in range(step, step + count)]
        return stacked([images for images, _ in batches]), stacked([labels for _, labels in batches])

    def batch(self, step: int) -> tuple[Any, np.ndarray]:
        """The images (batch, height, width, channels) and labels (batch[, classes]) after `step` updates.

        Images that are in memory come from -1 to 1 and moved; all others are Colours, and a step moves them.
        """
        rows = self._rows(step * self._size)[self.part]
        return self._seen(rows, step), self.images.labels[rows]

    def _rows(self, start: int) -> np.ndarray:
        """The images at `start` and after it in the endless row of epochs, each in an order of its own."""
        stop, size = start + self._size, len(self.images)
        orders = []
        for epoch in range(start // size, (stop - 1) // size + 1):
            begin = epoch * size
            orders.append(self._order(epoch, np.arange(max(start - begin, 0), min(stop - begin, size))))
        return np.concatenate(orders)

    def _order(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """The images at some positions of an epoch."""
        if len(self.images) > MAX_ORDER:
            return scattered(self._seed, Purpose.ORDER, epoch, len(self.images), positions)
        return _epoch(self._seed, epoch, len(self.images))[positions]

    def _seen(self, rows: np.ndarray, step: int) -> Any:
        """Images as a step sees them, or as it takes them."""
        images, data, seed, part = self.images, self._data, self._seed, Part(self._size, self.part)
        if isinstance(images, Images):
            return moved(images.pixels[rows], data, seed, step, part)
        source_rows = images.source_rows(rows)
        if data.crop:
            colours = images.source.cropped(source_rows, crop_draws(seed, step, self._size)[self.part])
        else:
            colours = images.source.colours(source_rows)
        if not isinstance(colours, Colours):
            colours = Colours(colours)
        return colours._replace(**moves(data, seed, step, part))


@lru_cache(maxsize=8)
def _epoch(seed: int, epoch: int, size: int) -> np.ndarray:
    return permutation(seed, Purpose.ORDER, epoch, size)
