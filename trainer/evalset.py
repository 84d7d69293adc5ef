"""The images of an evaluation as a model is to see them: at its side, with its channels, read when they are needed."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from scalectl.trainer.data import split
from scalectl.trainer.events import Stop
from scalectl.trainer.sources import PLENTY
from scalectl.trainer.spec import DataSpec
from scalectl.trainer.step import READ_BATCH, Programs, Readings
from scalectl.trainer.subset import Images, Lazy


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """A stop was asked for while an evaluation was under way."""


@dataclass(frozen=True)
class EvalSet:
    """Rows of images, brought to squares of `side` pixels and to `channels` where they are indexed."""

    images: Images | Lazy
    rows: np.ndarray
    side: int
    channels: int
    num_classes: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> np.ndarray:
        """Return images (count, side, side, channels) at places, or in a slice."""
        pixels = scaled(self.images.pixels[self.rows[places]], self.side)
        return pixels if pixels.shape[-1] == self.channels else np.repeat(pixels, self.channels, axis=-1)

    @cached_property
    def labels(self) -> np.ndarray:
        """Return the labels (count)."""
        return self.images.labels[self.rows]

    def take(self, places: np.ndarray) -> "EvalSet":
        """Return some of the images, in the order of `places`."""
        return replace(self, rows=self.rows[places])


def evalsets(spec: DataSpec, side: int, channels: int) -> tuple[EvalSet, EvalSet]:
    """Return the images of a dataset to train on, and those that are held out to measure the error on.

    Pictures in files are decoded at `side`, showing as much of each as at the spec's own side; others are scaled.
    """
    if spec.content:
        spec = replace(spec, image_size=side, resize=round(spec.resize * side / spec.image_size))
    found = split(spec)
    pool = found.pool.first(PLENTY) if spec.source == "synthetic" else found.pool
    parts = (_in_memory(part, side) for part in (pool, found.held_out))
    first, second = (EvalSet(part, np.arange(len(part)), side, channels, spec.num_classes) for part in parts)
    return first, second


def _in_memory(images: Images | Lazy, side: int) -> Images | Lazy:
    """Return images that are in memory scaled once; others are when they are read."""
    return replace(images, pixels=scaled(images.pixels, side)) if isinstance(images, Images) else images


def scaled(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return images (count, side, side, channels), bilinear between the pixels that there are."""
    count, height, width, channels = pixels.shape
    if (height, width) == (side, side):
        return pixels
    return np.asarray(jax.image.resize(pixels, (count, side, side, channels), "bilinear"))


def heed(stopping: Stop) -> None:
    """Raise Interrupted once `stopping` is set."""
    if stopping.is_set():
        raise Interrupted


def told(programs: Programs, params: Any, images: EvalSet, stopping: Stop) -> Readings:
    """Return what a model says of images; raises Interrupted."""
    parts = []
    for start in range(0, len(images), READ_BATCH):
        heed(stopping)
        some = images.take(np.arange(start, min(start + READ_BATCH, len(images))))
        parts.append(programs.read(params, some[:], some.labels))
    return Readings(*(np.concatenate(each) for each in zip(*parts, strict=True)))
