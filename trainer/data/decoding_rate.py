"""How many images of a source one core decodes a second, as jobs of this machine measure it; no NumPy."""

from contextlib import suppress
from pathlib import Path

from scalectl.trainer import cache
from scalectl.trainer.spec import DataSpec

ENOUGH = 256  # images to measure on


def kept(data: DataSpec) -> float | None:
    """The images a second, or None where no job on this machine has decoded enough of them at their size."""
    with suppress(OSError, ValueError):
        return float(_file(data.content, data.image_size).read_text())
    return None


class Meter:
    """The time that decoding takes of a core, kept in the user's cache once enough images were decoded."""

    def __init__(self, content: str, side: int) -> None:
        self._file = _file(content, side)
        self._images, self._seconds = 0, 0.0

    def add(self, images: int, seconds: float) -> None:
        """Count images that took a core so many seconds."""
        if self._images >= ENOUGH:
            return
        self._images, self._seconds = self._images + images, self._seconds + seconds
        if self._images >= ENOUGH and self._seconds > 0:
            with cache.appearing(self._file) as part:
                Path(part).write_text(f"{self._images / self._seconds:.6g}")


def _file(content: str, side: int) -> Path:
    return cache.folder() / f"{content}-{side}.rate"
