"""A source of encoded pictures in files, decoded one by one as they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL.Image import Image

from scalectl.trainer import pictures
from scalectl.trainer.augment import box
from scalectl.trainer.labels import Labels, Several, checked
from scalectl.trainer.pictures import BadImage
from scalectl.trainer.stores import Store, contents, store

TOGETHER = 16  # images read before any of them is decoded: measured, turn and turn about is slower


@dataclass(frozen=True)
class Encoded:
    """The pictures in the files at `path`, whose contents have the hash `content`."""

    kind: str
    path: str
    content: str
    num_classes: int
    image_size: int
    resize: int  # smaller side before the central crop

    def every_label(self) -> Labels:
        """Return the labels of all images; raises Unreadable where one is missing or is no class."""
        return _checked(self)

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return labels (count), or where images may have several, ones at them and zeros (count, num_classes)."""
        found = self.every_label()
        return found.hot(rows, self.num_classes) if isinstance(found, Several) else found[rows]

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Return images (count, height, width, 3) as bytes: resized, and their central squares."""
        return self._decoded(rows, lambda image, _: pictures.middle(image, self.image_size, self.resize))

    def cropped(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Return the same of random parts of images, each as its own draws say."""

        def part(image: Image, at: int) -> np.ndarray:
            return pictures.crop(image, box(image.width, image.height, drawn[at]), self.image_size)

        return self._decoded(rows, part)

    def place(self, row: int) -> str:
        """Return the file and row of an image."""
        return contents(self.kind, self.path).place(row)

    def store(self) -> Store:
        """Return where the encoded images are had from."""
        return store(self.kind, self.path, self.content)

    def _decoded(self, rows: np.ndarray, square: Callable[[Image, int], np.ndarray]) -> np.ndarray:
        """Return what `square` makes of each picture and its place among `rows`; raises BadImage with file and row."""
        images, found, row = self.store(), [], 0
        try:
            for start in range(0, len(rows), TOGETHER):
                part, encoded = rows[start : start + TOGETHER].tolist(), {}
                for row in part:
                    encoded[row] = images.encoded(row)
                for place, row in enumerate(part, start):
                    found.append(square(pictures.opened(encoded[row]), place))
        except BadImage as error:
            raise BadImage(f"{self.place(row)}: {error}") from error
        return np.stack(found)


@lru_cache(maxsize=4)
def _checked(source: Encoded) -> Labels:
    return checked(source.store().labels, source.num_classes, source.place)
