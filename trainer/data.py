"""Images in memory: the held-out split, nested training subsets, and batches that depend on seed and step alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trainer.draws import Purpose, permutation, words
from trainer.spec import DataSpec, TrunkSpec


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


@dataclass(frozen=True)
class Split:
    """A source cut in two: `held_out` is for evaluation, and `pool` is what subsets and few shots are taken from."""

    pool: Images
    held_out: Images


@lru_cache(maxsize=4)
def split(source: str, held_out: int, seed: int) -> Split:
    """Return a source with `held_out` images set apart by a permutation drawn from `seed`; raises KeyError."""
    images = _SOURCES[source]()
    order = permutation(seed, Purpose.SPLIT, 0, len(images))
    return Split(images.take(order[held_out:]), images.take(order[:held_out]))


def load(spec: DataSpec) -> Images:
    """Return the training subset of a spec, which lies inside every larger one and meets no held-out image."""
    return split(spec.source, spec.held_out, spec.subset_seed).pool.take(np.arange(spec.size))


def _digits() -> Images:
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = found.images.astype(np.float32)[..., None] / 8.0 - 1.0  # counts from 0 to 16 in blocks of 4 x 4 pixels
    return Images(pixels, found.target.astype(np.int32))


_SOURCES = {"digits": _digits}


class Batches:
    """The batches of a trunk; which images a step sees, and how they are moved, depends on seed and step alone."""

    def __init__(self, trunk: TrunkSpec) -> None:
        self._images = load(trunk.data)
        self._seed, self._size, self._shift = trunk.seed, trunk.recipe.batch_size, trunk.data.shift
        edge = (self._shift, self._shift)
        self._padded = np.pad(self._images.pixels, ((0, 0), edge, edge, (0, 0)), constant_values=-1.0)

    def stacked(self, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (count, batch, height, width, channels) and labels (count, batch) after `step` updates."""
        batches = [self._batch(one) for one in range(step, step + count)]
        return np.stack([pixels for pixels, _ in batches]), np.stack([labels for _, labels in batches])

    def _batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows(step * self._size)
        return self._moved(rows, step), self._images.labels[rows]

    def _rows(self, start: int) -> np.ndarray:
        """Return the images at `start` and after it in the endless row of epochs, each in an order of its own."""
        places = np.arange(start, start + self._size)
        epochs = places // len(self._images)
        orders = [self._order(epoch)[places[epochs == epoch] % len(self._images)] for epoch in np.unique(epochs)]
        return np.concatenate(orders)

    def _order(self, epoch: int) -> np.ndarray:
        return _epoch(self._seed, int(epoch), len(self._images))

    def _moved(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Return images translated by up to `shift` pixels each way; what comes into view is empty."""
        if not self._shift:
            return self._images.pixels[rows]
        drawn = words(self._seed, Purpose.SHIFT, step, 2 * len(rows)) % (2 * self._shift + 1)
        down, right = drawn.astype(np.int64).reshape(2, -1, 1, 1)
        side = np.arange(self._images.pixels.shape[1])
        return self._padded[rows[:, None, None], down + side[:, None], right + side]


@lru_cache(maxsize=8)
def _epoch(seed: int, epoch: int, size: int) -> np.ndarray:
    return permutation(seed, Purpose.ORDER, epoch, size)
