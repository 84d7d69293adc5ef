"""The batches of the next dispatch, read and put on the device while it works on those before them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import jax

from scalectl.trainer.data.loader import Loader
from scalectl.trainer.programs import Fed, Programs

LOOK_SECONDS = 0.002  # between two looks whether the device still works


def dispatches(step: int, stop: int, every: int, most: int) -> Iterator[int]:
    """Yield how many steps go into each dispatch from `step` to `stop`: none goes past a checkpoint, `every` steps."""
    while step < stop:
        count = min(most, stop - step, every - step % every)
        yield count
        step += count


class Feed:
    """The batches of dispatches of so many steps each; those of images that are in memory are made when asked for."""

    def __init__(self, loader: Loader, programs: Programs, counts: Iterator[int]) -> None:
        self._loader, self._programs, self._counts = loader, programs, counts
        self._thread = ThreadPoolExecutor(1, "feed")
        self._next: Future[Fed] | None = None

    def take(self, busy: Callable[[], bool]) -> tuple[Fed, float]:
        """The next batches, and the seconds for which the device was not `busy` until they were there.

        Raises BadImage and Unreadable.
        """
        since = None
        if not self._loader.reads:
            if not busy():
                since = time.perf_counter()
            return self._made(next(self._counts)), _passed(since)
        coming = self._next or self._thread.submit(self._made, next(self._counts))
        while not coming.done():
            if since is None and not busy():
                since = time.perf_counter()
            patience = None if since else LOOK_SECONDS
            wait([coming], patience)
        batches, waited = coming.result(), _passed(since)
        self._next = None
        if count := next(self._counts, 0):
            self._next = self._thread.submit(self._made, count)
        return batches, waited

    def _made(self, count: int) -> Fed:
        batches = self._programs.fed(*self._loader.stacked(count))
        if self._loader.reads and self._programs.layout.alone:
            return jax.device_put(batches)
        return batches

    def close(self) -> None:
        """End the readers, once the batches that are being made are there."""
        self._thread.shutdown(cancel_futures=True)
        self._loader.close()


def _passed(since: float | None) -> float:
    if since is None:
        return 0.0
    return time.perf_counter() - since
