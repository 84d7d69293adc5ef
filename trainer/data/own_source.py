"""A source of one's own: arrays that a function loads, with what planning has to know of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalectl.trainer import own_code
from scalectl.trainer.data.facts import Facts, Unreadable
from scalectl.trainer.data.registry import Own

LOOKED_AT = 1000  # images that are hashed with all labels, evenly spaced


def loaded(name: str, key: str, load: Callable[[], tuple[Any, Any]], num_classes: int | None) -> Own:
    """The source that a function loads, called `key` in runs; raises Unreadable where it gives no images."""
    try:
        with own_code.prints_aside():
            pixels, labels = load()
        labels = np.asarray(labels)
    except Exception as error:  # whatever code of one's own raises
        raise Unreadable(f"source {name} can't be loaded: {type(error).__name__}: {error}".strip()) from error
    if wrong := _wrong(pixels, labels, num_classes):
        raise Unreadable(f"source {name}: {wrong}")
    facts = Facts(len(labels), pixels.shape[1], pixels.shape[3], num_classes or int(labels.max()) + 1)
    return Own(facts, load, f"{key}+{_content(pixels, labels)}")


def _wrong(pixels: Any, labels: np.ndarray, num_classes: int | None) -> str:
    """What is wrong with images and labels, and how they should be; or nothing."""
    shape: tuple[int, ...] = tuple(getattr(pixels, "shape", ()))
    if len(shape) != 4 or shape[1] != shape[2]:
        return f"images have the shape {shape}: give an array (count, side, side, channels)"
    if pixels.dtype not in (np.uint8, np.float32):
        return f"images are {pixels.dtype}: give uint8, or float32 with values from -1 to 1"
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu" or not len(labels):
        return f"labels are {labels.dtype} {labels.shape}: give a whole number for each of {shape[0]:,} images"
    if labels.min() < 0 or (num_classes and labels.max() >= num_classes):
        return f"labels go from {labels.min()} to {labels.max()}: number the classes from 0"
    return ""


def _content(pixels: Any, labels: np.ndarray) -> str:
    """A hash that tells these images from others: of all labels, and of images from all over the array."""
    rows = np.linspace(0, len(labels) - 1, min(LOOKED_AT, len(labels))).astype(np.int64)
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(np.ascontiguousarray(labels, np.int64).tobytes())
    digest.update(np.ascontiguousarray(pixels[rows]).tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Arrays:
    """Bytes of images in an array that may be larger than memory; another process loads it anew."""

    load: Callable[[], tuple[Any, Any]]
    arrays: tuple[Any, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, (self.load,)

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Images (count, height, width, channels) as bytes."""
        return np.asarray(self.arrays[0][rows])

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Labels (count)."""
        return np.asarray(self.arrays[1])[rows].astype(np.int32)

    def cropped(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Nothing: images of one size are not cropped, and planning refuses it."""
        raise NotImplementedError


def opened(load: Callable[[], tuple[Any, Any]]) -> Arrays:
    """The arrays that a function loads."""
    return Arrays(load, load())
