"""Decoded images in the user's cache, as squares of bytes in one file of NumPy's format that is mapped into memory.

A file has the images of the largest subset of a study, in the order in which subsets nest. Its name has the hash of all
that they depend on. It is written once on each machine, however many jobs need it, and seen whole or not at all.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from scalectl.trainer import cache, flock
from scalectl.trainer.canonical import canonical_json
from scalectl.trainer.data.augment import box
from scalectl.trainer.data.colours import Colours
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.images import Encoded, Images, Lazy
from scalectl.trainer.spec import SEMANTICS, DataSpec

GROUP = 64  # images that are decoded and written at a time
LOOK_SECONDS = 0.5  # between two looks whether another job has written the file


@dataclass(frozen=True)
class Squares:
    """The cached images of a pool by their positions there."""

    pool: Lazy
    file: Path

    @property
    def _images(self) -> np.ndarray:
        try:
            return _mapped(self.file)
        except (OSError, ValueError) as error:
            raise Unreadable(f"{self.file}: no cached images: somebody removed them") from error

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Images (count, side, side, channels) as bytes: central squares, or whole pictures to take crops of."""
        return self._images["pixels"][rows]

    def cropped(self, rows: np.ndarray, draws: np.ndarray) -> Colours:
        """Whole pictures as squares, with the parts of them, in pixels of their squares, that a step takes."""
        images = self._images
        side = images["pixels"].shape[1]
        sizes = images["size"][rows]
        crops = [box(width, height, one) for (width, height), one in zip(sizes.tolist(), draws, strict=True)]
        boxes = (np.array(crops) * side / np.tile(sizes, 2)).astype(np.float32)
        return Colours(self.colours(rows), boxes)

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The labels, as those of the pool."""
        return self.pool.labels[rows]


def side(spec: DataSpec) -> int:
    """The side of a spec's cached images in pixels."""
    return spec.cache or spec.image_size


def size(spec: DataSpec) -> int:
    """The bytes that a spec's cached images take."""
    return spec.cached * _kind(spec).itemsize


def cached(spec: DataSpec, pool: Images | Lazy) -> Images | Lazy:
    """The pool of a spec, of its cached images where it has any, which `write` has to have written when one is read."""
    if not spec.cached or not isinstance(pool, Lazy):
        return pool
    return Lazy(Squares(pool, _file(spec)), range(spec.cached))


def write(spec: DataSpec, pool: Images | Lazy) -> Iterator[None]:
    """Write the cached images of a spec on all cores unless they are there, and yield at least every few seconds.

    Where another process of the machine writes them, wait for it. Raises BadImage, and Unreadable where the disk has
    no place for them.
    """
    if not spec.cached or not isinstance(pool, Lazy) or _written(spec):
        return
    file = _file(spec)
    with file.with_suffix(".lock").open("w") as lock:
        while not flock.acquire(lock.fileno()):
            yield
            time.sleep(LOOK_SECONDS)
        if not _written(spec):
            _check_room(spec, file)
            with cache.appearing(file) as part:
                yield from _fill(spec, pool, part)
            _mapped.cache_clear()


def _fill(spec: DataSpec, pool: Lazy, part: str) -> Iterator[None]:
    """Write all images to a file that others don't see yet."""
    images = np.lib.format.open_memmap(part, "w+", _kind(spec), (spec.cached,))
    with Path(part).open("r+b") as file:
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and a signal later
            os.posix_fallocate(file.fileno(), 0, Path(part).stat().st_size)

        def group(start: int) -> None:
            stop = min(start + GROUP, spec.cached)
            rows = pool.source_rows(slice(start, stop))
            if spec.crop and isinstance(pool.source, Encoded):
                sizes, pixels = pool.source.whole(rows, side(spec))
            else:
                pixels = pool.source.colours(rows)
                sizes = np.full((stop - start, 2), side(spec))
            images["pixels"][start:stop], images["size"][start:stop] = pixels, sizes

        with ThreadPoolExecutor(_cores()) as threads:  # Pillow decodes without Python's lock
            for _ in threads.map(group, range(0, spec.cached, GROUP)):
                yield
        images.flush()
        os.fsync(file.fileno())


def _cores() -> int:
    """The cores that this process may use: one of a slot on the CPU, all of a machine otherwise."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_room(spec: DataSpec, file: Path) -> None:
    if size(spec) > cache.free(file):
        space = f"{size(spec) / 1e9:,.3f} GB and {file.parent} has {max(cache.free(file), 0) / 1e9:,.3f} GB to spare"
        raise Unreadable(
            f"{spec.path or spec.source}: data.cache takes {space}: lower it, leave it out, or set XDG_CACHE_HOME to a"
            " folder on a larger disk"
        )


def _written(spec: DataSpec) -> bool:
    """Whether the file is there with all images; a smaller study has left one with fewer."""
    try:
        images = _mapped(_file(spec))
    except (OSError, ValueError):  # none, or one that is damaged
        return False
    return images.dtype == _kind(spec) and len(images) >= spec.cached


def _kind(spec: DataSpec) -> np.dtype[Any]:
    pixels = (side(spec), side(spec), spec.channels)
    return np.dtype([("size", "<u4", (2,)), ("pixels", "u1", pixels)])


def _file(spec: DataSpec) -> Path:
    """The file of the squares that a spec has, whatever of them it trains on and however it moves them."""
    same = replace(spec, size=0, shift=0, flip=False)
    words = {declared.name: getattr(same, declared.name) for declared in fields(same) if declared.compare}
    digest = hashlib.sha256(canonical_json([SEMANTICS, words]).encode()).hexdigest()[:12]
    return cache.folder() / f"{spec.content or spec.source}-{digest}.npy"


@lru_cache(maxsize=4)
def _mapped(file: Path) -> np.ndarray:
    """All images of a file, mapped into memory."""
    return np.asarray(np.lib.format.open_memmap(file, "r"))
