"""What is done to training images each time they are seen, drawn from seed and step alone."""

import math
from typing import NamedTuple

import numpy as np

from scalectl.trainer.data.pictures import Box
from scalectl.trainer.rng import Purpose, units, words
from scalectl.trainer.spec import DataSpec

AREA = (0.05, 1.0)  # of a crop, as a share of the picture's
ASPECT = (3 / 4, 4 / 3)  # of a crop, width to height
TRIES = 10


class Part(NamedTuple):
    """Which images of a batch are at hand; what is drawn for one doesn't depend on it."""

    size: int  # of the whole batch
    rows: slice


def crop_draws(seed: int, step: int, count: int) -> np.ndarray:
    """The draws of the crops of a batch (count, tries, 4), from 0 to 1."""
    return units(words(seed, Purpose.CROP, step, count * TRIES * 4)).reshape(count, TRIES, 4)


def box(width: int, height: int, draws: np.ndarray) -> Box:
    """A part of a picture, drawn as torchvision does it: area uniform, aspect log-uniform, and place uniform.

    The first try that fits inside the picture counts, so that large areas and aspects unlike the picture's are rarer;
    where none does, it is the middle, as wide or high as it can be.
    """
    for area, aspect, across, down in draws.tolist():
        pixels = width * height * (AREA[0] + (AREA[1] - AREA[0]) * area)
        ratio = ASPECT[0] * (ASPECT[1] / ASPECT[0]) ** aspect
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(across * (width - w + 1)), int(down * (height - h + 1))
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * ASPECT[1])))
    h = min(height, max(1, round(width / ASPECT[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def moves(data: DataSpec, seed: int, step: int, part: Part) -> dict[str, np.ndarray]:
    """How `data` has images moved, by the names that Colours has for it.

    Shifts (count, 2) are pixels down and right, up to `data.shift` each way; mirrored (count) is each image, left to
    right, with a chance of one in two.
    """
    found = {}
    if data.shift:
        drawn = words(seed, Purpose.SHIFT, step, 2 * part.size) % (2 * data.shift + 1)
        found["shifts"] = drawn.astype(np.int32).reshape(2, -1).T[part.rows] - np.int32(data.shift)
    if data.flip:
        found["mirrored"] = words(seed, Purpose.FLIP, step, part.size)[part.rows] >> np.uint64(63) == 1
    return found


def moved(images: np.ndarray, data: DataSpec, seed: int, step: int, part: Part) -> np.ndarray:
    """Images from -1 to 1 moved as `data` says; what comes into view is -1."""
    drawn = moves(data, seed, step, part)
    if "shifts" in drawn:
        images = shifted(images, drawn["shifts"], data.shift)
    if "mirrored" in drawn:
        images = np.where(drawn["mirrored"][:, None, None, None], images[:, :, ::-1], images)
    return images


def shifted(images: np.ndarray, shifts: np.ndarray, limit: int) -> np.ndarray:
    """Images translated by up to `limit` pixels each way."""
    count, height, width, channels = images.shape
    padded = np.full((count, height + 2 * limit, width + 2 * limit, channels), -1.0, images.dtype)
    padded[:, limit:-limit, limit:-limit] = images  # np.pad takes longer than a step of a small model
    down, right = (shifts.T + limit)[:, :, None, None]
    side, rows = np.arange(height), np.arange(count)
    return padded[rows[:, None, None], down + side[:, None], right + side]
