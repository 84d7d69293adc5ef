"""The held-out split, nested training subsets, and batches that depend on seed and step alone."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from scalectl.trainer.augment import Part, crop_draws, moved
from scalectl.trainer.draws import Purpose, permutation, scattered, units, words
from scalectl.trainer.encoded import Encoded
from scalectl.trainer.files import Unreadable
from scalectl.trainer.labels import Labels, Several
from scalectl.trainer.pictures import in_range
from scalectl.trainer.sources import ENDLESS
from scalectl.trainer.spec import DataSpec, TrunkSpec
from scalectl.trainer.subset import Images, Lazy
from scalectl.trainer.synthetic import Patterns

ALL = slice(None)
WHOLE = 2**20  # orders of more images than this are never held as a whole


@dataclass(frozen=True)
class Split:
    """A source cut in two: `held_out` is for evaluation, and `pool` is what subsets and few shots are taken from."""

    pool: Images | Lazy
    held_out: Images | Lazy


def split(spec: DataSpec) -> Split:
    """Return the source of a spec with its held-out images set apart; the same for subsets of all sizes."""
    return _split(replace(spec, size=0, shift=0, crop=False, flip=False))


@lru_cache(maxsize=4)
def _split(spec: DataSpec) -> Split:
    if spec.source == "synthetic":
        return _synthetic(spec)
    if spec.content:
        return _files(spec)
    if spec.source not in _SOURCES:
        raise Unreadable(f"{spec.source}: no such source")
    images = _SOURCES[spec.source]()
    order = ordered(images.labels, spec.subset_seed, stratified=spec.stratified)
    return Split(images.take(order[spec.held_out :]), images.take(order[: spec.held_out]))


def ordered(labels: Labels, seed: int, *, stratified: bool) -> np.ndarray:
    """Return a permutation of images drawn from `seed`, of which held-out images and subsets are stretches.

    Stratified, every class is spread evenly over it, so that each stretch has its share of each class; which class
    comes first is drawn too, so that one with few images is not always late. It stays one permutation: subsets nest.
    Images with several labels are of no one class, and never stratified.
    """
    order = permutation(seed, Purpose.SPLIT, 0, len(labels))
    if not stratified or isinstance(labels, Several):
        return order
    classes, of_class, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(order))
    by_class = np.argsort(of_class, kind="stable")
    ranks[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = units(words(seed, Purpose.STRATUM, 0, len(classes)))
    return order[np.argsort((ranks + first[of_class]) / counts[of_class], kind="stable")]


def load(spec: DataSpec) -> Images | Lazy:
    """Return the training subset of a spec, which lies inside every larger one and meets no held-out image."""
    return split(spec).pool.first(spec.size)


def _synthetic(spec: DataSpec) -> Split:
    """Return the first images as the held-out ones: each is drawn by itself, so any order is as good as another."""
    source = Patterns(spec.subset_seed, spec.image_size, spec.num_classes, in_turn=spec.stratified)
    return Split(Lazy(source, range(spec.held_out, ENDLESS)), Lazy(source, range(spec.held_out)))


def _files(spec: DataSpec) -> Split:
    """Return pictures in files; those held out are of the test split where there is one."""
    source = Encoded(spec.source, spec.path, spec.content, spec.num_classes, spec.image_size, spec.resize)
    order = _order(source, spec)
    if not spec.test_content:
        return Split(Lazy(source, order[spec.held_out :]), Lazy(source, order[: spec.held_out]))
    test = replace(source, path=spec.test_path, content=spec.test_content)
    return Split(Lazy(source, order), Lazy(test, _order(test, spec)[: spec.held_out]))


def _order(source: Encoded, spec: DataSpec) -> np.ndarray:
    return ordered(source.every_label(), spec.subset_seed, stratified=spec.stratified)


def _digits() -> Images:
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = found.images.astype(np.float32)[..., None] / 8.0 - 1.0  # counts from 0 to 16 in blocks of 4 x 4 pixels
    return Images(pixels, found.target.astype(np.int32))


_SOURCES = {"digits": _digits}


class Batches:
    """The batches of a trunk; which images a step sees, and how they are moved, depends on seed and step alone."""

    def __init__(self, trunk: TrunkSpec, part: slice = ALL) -> None:
        self.part = part  # of each batch, that is made here; what is drawn for an image doesn't depend on it
        self.images = load(trunk.data)
        self._data, self._seed, self._size = trunk.data, trunk.seed, trunk.recipe.batch_size

    def stacked(self, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return images (count, batch, height, width, channels) and labels (count, batch) from `step` updates on."""
        batches = [self.batch(one) for one in range(step, step + count)]
        return np.stack([pixels for pixels, _ in batches]), np.stack([labels for _, labels in batches])

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (batch, height, width, channels) and labels (batch[, classes]) after `step` updates."""
        rows = self._rows(step * self._size)[self.part]
        return self._seen(rows, step), self.images.labels[rows]

    def _rows(self, start: int) -> np.ndarray:
        """Return the images at `start` and after it in the endless row of epochs, each in an order of its own."""
        places = np.arange(start, start + self._size)
        epochs = places // len(self.images)
        return np.concatenate(
            [self._order(int(epoch), places[epochs == epoch] % len(self.images)) for epoch in np.unique(epochs)]
        )

    def _order(self, epoch: int, places: np.ndarray) -> np.ndarray:
        """Return the images at some places of an epoch."""
        if len(self.images) > WHOLE:
            return scattered(self._seed, Purpose.ORDER, epoch, len(self.images), places)
        return _epoch(self._seed, epoch, len(self.images))[places]

    def _seen(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Return images as a step sees them."""
        images, data, seed, of = self.images, self._data, self._seed, Part(self._size, self.part)
        if isinstance(images, Images):
            return moved(images.pixels[rows], data, seed, step, of, empty=-1.0)
        places = images.at(rows)
        if data.crop:
            colours = images.source.cropped(places, crop_draws(seed, step, self._size)[self.part])
        else:
            colours = images.source.colours(places)
        return in_range(moved(colours, data, seed, step, of, empty=0))


@lru_cache(maxsize=8)
def _epoch(seed: int, epoch: int, size: int) -> np.ndarray:
    return permutation(seed, Purpose.ORDER, epoch, size)
