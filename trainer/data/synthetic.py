"""Procedural images: a class is a blend of gratings, and image n of a seed is always the same, made when asked for."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from scalectl.trainer.data.augment import box
from scalectl.trainer.data.headers import Picture
from scalectl.trainer.data.pictures import crop
from scalectl.trainer.rng import Purpose, units, words
from scalectl.trainer.spec import DataSpec

GRATINGS = 3  # that make a class
STRAYS = 2  # that mean nothing
CYCLES = (1.5, 6.0)  # of a grating across an image
BLOCK = 4096  # labels drawn together


def generator(spec: DataSpec) -> "Patterns":
    """The images of a spec's seed, size and number of classes."""
    return Patterns(spec.subset_seed, spec.image_size, spec.num_classes, in_turn=spec.stratified)


@dataclass(frozen=True)
class Patterns:
    """A source without end: an image shows its class's gratings at phases of its own, others beside them, and noise.

    Phases are random, so no pixel by itself says anything of the class.
    """

    seed: int
    image_size: int
    num_classes: int
    in_turn: bool  # classes come one after the other instead of by chance

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The classes of images (count) by number."""
        if self.in_turn:
            return (rows % self.num_classes).astype(np.int32)
        blocks, positions = np.divmod(rows, BLOCK)
        draws = np.empty(len(rows), np.uint64)
        for block in np.unique(blocks):
            draws[blocks == block] = _block(self.seed, int(block))[positions[blocks == block]]
        return (draws % np.uint64(self.num_classes)).astype(np.int32)

    def cropped(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Random parts of images (count, height, width, 3) by number, as bytes, each as its own draws say."""
        side, images = self.image_size, map(Image.fromarray, self.colours(rows))
        return np.stack(
            [crop(Picture(image), box(side, side, draw), side) for image, draw in zip(images, draws, strict=True)]
        )

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Images (count, height, width, 3) by number, as bytes.

        Whole numbers, so that machines whose cosines differ in the last digit still agree on the images.
        """
        side, parameters = self.image_size, 4 * (GRATINGS + STRAYS) + 3 * STRAYS
        count = parameters + -(-3 * side * side // 8)
        draws = np.stack([words(self.seed, Purpose.IMAGE, int(row), count) for row in rows])
        noise = draws[:, parameters:].astype("<u8").view(np.uint8)[:, : 3 * side * side].reshape(-1, side, side, 3)
        shown = 127.5 + 32.0 * self._gratings(self.labels(rows), units(draws[:, :parameters])) + 0.5 * (noise - 127.5)
        return np.clip(np.rint(shown), 0, 255).astype(np.uint8)

    def _gratings(self, labels: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """The sum of an image's gratings (count, height, width, 3); it has a spread of about 1 to 2."""
        gratings = draws[:, : 4 * (GRATINGS + STRAYS)].reshape(len(labels), -1, 4)
        jitter, stray = gratings[:, :GRATINGS], gratings[:, GRATINGS:]
        of_class = np.stack([_class(self.seed, int(label)) for label in labels])
        cycles = np.hstack([of_class[..., 0] * (0.9 + 0.2 * jitter[..., 0]), _between(CYCLES, stray[..., 0])])
        angle = np.hstack([of_class[..., 1] + 0.3 * (jitter[..., 1] - 0.5), np.pi * stray[..., 1]])
        colour = np.hstack([of_class[..., 2:], 2.0 * draws[:, -3 * STRAYS :].reshape(-1, STRAYS, 3) - 1.0])
        phase, strength = 2.0 * np.pi * gratings[..., 2], 0.5 + gratings[..., 3:]
        return _rendered(cycles, angle, phase, colour * strength, self.image_size)


def _rendered(cycles: np.ndarray, angle: np.ndarray, phase: np.ndarray, colour: np.ndarray, side: int) -> np.ndarray:
    """cos(across + down), summed over gratings, as one product: cos a cos b - sin a sin b."""
    along = 2.0 * np.pi * (np.arange(side) + 0.5) / side
    across = (cycles * np.cos(angle))[..., None] * along + phase[..., None]
    down = (cycles * np.sin(angle))[..., None] * along
    columns = np.concatenate([np.cos(across), -np.sin(across)], axis=1)
    rows = np.concatenate([np.cos(down), np.sin(down)], axis=1)
    weights = np.concatenate([colour, colour], axis=1)
    shaded = (weights[..., None] * rows[:, :, None]).transpose(0, 2, 3, 1)  # image, channel, row, grating
    return (shaded @ columns[:, None]).transpose(0, 2, 3, 1)


def _between(ends: tuple[float, float], draws: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * draws


@lru_cache(maxsize=100_000)
def _class(seed: int, label: int) -> np.ndarray:
    """The cycles, angle and colour of each grating of a class."""
    draws = units(words(seed, Purpose.CLASS, label, 5 * GRATINGS)).reshape(GRATINGS, 5)
    angle = np.pi * draws[:, 1:2]
    return np.hstack([_between(CYCLES, draws[:, :1]), angle, 2.0 * draws[:, 2:] - 1.0])


@lru_cache(maxsize=8)
def _block(seed: int, block: int) -> np.ndarray:
    return words(seed, Purpose.LABEL, block, BLOCK)
