"""Procedural images: a class is a blend of gratings, and image n of a seed is always the same, made when asked for."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from scalectl.trainer.augment import box
from scalectl.trainer.draws import Purpose, units, words
from scalectl.trainer.pictures import crop

GRATINGS = 3  # that make a class
STRAYS = 2  # that mean nothing
CYCLES = (1.5, 6.0)  # of a grating across an image
BLOCK = 4096  # labels drawn together


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
        """Return the classes of images by number."""
        if self.in_turn:
            return (rows % self.num_classes).astype(np.int32)
        blocks, places = np.divmod(rows, BLOCK)
        drawn = np.empty(len(rows), np.uint64)
        for block in np.unique(blocks):
            drawn[blocks == block] = _block(self.seed, int(block))[places[blocks == block]]
        return (drawn % np.uint64(self.num_classes)).astype(np.int32)

    def cropped(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Return the same of random parts of images, each as its own draws say."""
        side, whole = self.image_size, map(Image.fromarray, self.colours(rows))
        return np.stack([crop(one, box(side, side, own), side) for one, own in zip(whole, drawn, strict=True)])

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Return images (count, height, width, 3) by number, as bytes.

        Whole numbers, so that machines whose cosines differ in the last digit still agree on the images.
        """
        side, own = self.image_size, 4 * (GRATINGS + STRAYS) + 3 * STRAYS
        count = own + -(-3 * side * side // 8)
        drawn = np.stack([words(self.seed, Purpose.IMAGE, int(row), count) for row in rows])
        noise = drawn[:, own:].astype("<u8").view(np.uint8)[:, : 3 * side * side].reshape(-1, side, side, 3)
        shown = 127.5 + 32.0 * self._gratings(self.labels(rows), units(drawn[:, :own])) + 0.5 * (noise - 127.5)
        return np.clip(np.rint(shown), 0, 255).astype(np.uint8)

    def _gratings(self, labels: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Return the sum of an image's gratings (count, height, width, 3); it has a spread of about 1 to 2."""
        every = drawn[:, : 4 * (GRATINGS + STRAYS)].reshape(len(labels), -1, 4)
        jitter, stray = every[:, :GRATINGS], every[:, GRATINGS:]
        of_class = np.stack([_class(self.seed, int(label)) for label in labels])
        cycles = np.hstack([of_class[..., 0] * (0.9 + 0.2 * jitter[..., 0]), _between(CYCLES, stray[..., 0])])
        angle = np.hstack([of_class[..., 1] + 0.3 * (jitter[..., 1] - 0.5), np.pi * stray[..., 1]])
        colour = np.hstack([of_class[..., 2:], 2.0 * drawn[:, -3 * STRAYS :].reshape(-1, STRAYS, 3) - 1.0])
        return _drawn(cycles, angle, 2.0 * np.pi * every[..., 2], colour * (0.5 + every[..., 3:]), self.image_size)


def _drawn(cycles: np.ndarray, angle: np.ndarray, phase: np.ndarray, colour: np.ndarray, side: int) -> np.ndarray:
    """Return cos(across + down), summed over gratings, as one product: cos a cos b - sin a sin b."""
    along = 2.0 * np.pi * (np.arange(side) + 0.5) / side
    across = (cycles * np.cos(angle))[..., None] * along + phase[..., None]
    down = (cycles * np.sin(angle))[..., None] * along
    columns = np.concatenate([np.cos(across), -np.sin(across)], axis=1)
    rows = np.concatenate([np.cos(down), np.sin(down)], axis=1)
    weights = np.concatenate([colour, colour], axis=1)
    shaded = (weights[..., None] * rows[:, :, None]).transpose(0, 2, 3, 1)  # image, channel, row, grating
    return (shaded @ columns[:, None]).transpose(0, 2, 3, 1)


def _between(ends: tuple[float, float], drawn: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * drawn


@lru_cache(maxsize=100_000)
def _class(seed: int, label: int) -> np.ndarray:
    """Return the cycles, angle and colour of each grating of a class."""
    drawn = units(words(seed, Purpose.CLASS, label, 5 * GRATINGS)).reshape(GRATINGS, 5)
    angle = np.pi * drawn[:, 1:2]
    return np.hstack([_between(CYCLES, drawn[:, :1]), angle, 2.0 * drawn[:, 2:] - 1.0])


@lru_cache(maxsize=8)
def _block(seed: int, block: int) -> np.ndarray:
    return words(seed, Purpose.LABEL, block, BLOCK)
