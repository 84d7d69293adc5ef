"""The images of an evaluation as a model is to see them: at its side, with its channels, read when they are needed."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from scalectl.trainer.data.facts import PLENTY
from scalectl.trainer.data.images import Images, Lazy
from scalectl.trainer.data.registry import Generated, source
from scalectl.trainer.data.split import split
from scalectl.trainer.events import Stop
from scalectl.trainer.programs import READ_BATCH, Programs
from scalectl.trainer.spec import DataSpec
from scalectl.trainer.step import Readings


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

    def __getitem__(self, positions: Any) -> np.ndarray:
        """Images (count, side, side, channels) at positions, or in a slice."""
        pixels = scaled(self.images.pixels[self.rows[positions]], self.side)
        if pixels.shape[-1] == self.channels:
            return pixels
        return np.repeat(pixels, self.channels, axis=-1)

    @cached_property
    def labels(self) -> np.ndarray:
        """The labels (count)."""
        return self.images.labels[self.rows]

    def take(self, positions: np.ndarray) -> "EvalSet":
        """Some of the images, in the order of `positions`."""
        return replace(self, rows=self.rows[positions])


def evalsets(spec: DataSpec, side: int, channels: int) -> tuple[EvalSet, EvalSet]:
    """The images of a dataset to train on, and those that are held out to measure the error on.

    Pictures in files are decoded at `side`, showing as much of each as at the spec's own side; others are scaled.
    """
    if spec.content:
        spec = replace(spec, image_size=side, resize=round(spec.resize * side / spec.image_size))
    images = split(spec)
    pool = images.pool
    if isinstance(source(spec.source), Generated):
        pool = pool.first(PLENTY)
    parts = (_in_memory(part, side) for part in (pool, images.held_out))
    first, second = (EvalSet(part, np.arange(len(part)), side, channels, spec.num_classes) for part in parts)
    return first, second


def _in_memory(images: Images | Lazy, side: int) -> Images | Lazy:
    """Images in memory, scaled once; others as they are, to be scaled when they are read."""
    if isinstance(images, Lazy):
        return images
    return replace(images, pixels=scaled(images.pixels, side))


def scaled(pixels: np.ndarray, side: int) -> np.ndarray:
    """Images (count, side, side, channels), bilinear between the pixels that there are."""
    count, height, width, channels = pixels.shape
    if (height, width) == (side, side):
        return pixels
    return np.asarray(jax.image.resize(pixels, (count, side, side, channels), "bilinear"))


def heed(stopping: Stop) -> None:
    """Raise Interrupted once `stopping` is set."""
    if stopping.is_set():
        raise Interrupted


def readings(programs: Programs, params: Any, images: EvalSet, stopping: Stop) -> Readings:
    """A model's outputs for images; raises Interrupted."""
    parts = []
    for start in range(0, len(images), READ_BATCH):
        heed(stopping)
        batch = images.take(np.arange(start, min(start + READ_BATCH, len(images))))
        parts.append(programs.read(params, batch[:], batch.labels))
    return Readings(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
