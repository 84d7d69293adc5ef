"""Batches ahead of the steps that need them, read by Grain in a thread or in worker processes."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scalectl.trainer.data.colours import stacked
from scalectl.trainer.data.images import Images

AHEAD = 2  # batches that wait, of each reader


class StepBatches(Protocol):
    """Batches by their step, of images that are in memory or not."""

    images: Any

    def batch(self, step: int) -> tuple[Any, np.ndarray]:
        """The images, an array or Colours, and labels of a step."""

    def stacked(self, step: int, count: int) -> tuple[Any, np.ndarray]:
        """The images and labels of `count` steps, one after the other."""


@dataclass(frozen=True)
class _Steps:
    """The batches of some steps by position; what Grain calls a random access data source."""

    batches: StepBatches
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, position: int) -> tuple[Any, np.ndarray]:
        return self.batches.batch(self.start + position)


class Loader:
    """The batches of steps `start` to `stop`, in order; readers change when they are made and nothing else."""

    def __init__(self, batches: StepBatches, start: int, stop: int, workers: int) -> None:
        self._steps, self._step, self._workers = _Steps(batches, start, stop), start, workers
        self._ahead: Any = None

    @property
    def reads(self) -> bool:
        """Whether images have to be read or made; else they are in memory already."""
        return not isinstance(self._steps.batches.images, Images)

    def stacked(self, count: int) -> tuple[Any, np.ndarray]:
        """The images (count, batch, height, width, channels) and labels (count, batch) of the next steps."""
        step, self._step = self._step, self._step + count
        if not self.reads:
            return self._steps.batches.stacked(step, count)
        self._ahead = self._ahead or _ahead(self._steps, self._workers)
        batches = [next(self._ahead) for _ in range(count)]
        return stacked([images for images, _ in batches]), stacked([labels for _, labels in batches])

    def close(self) -> None:
        """End the readers."""
        if self._ahead is not None:
            self._ahead.close()


def _ahead(steps: _Steps, workers: int) -> Any:
    """An iterator over batches that reads ahead."""
    import grain
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # Grain asks absl for its settings, which only absl's own main functions parse
    grain.config.update("py_traceback_filtering", "off")  # else its last line, a failure's reason, is about filtering
    read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=AHEAD)
    batches = grain.MapDataset.source(steps).to_iter_dataset(read)
    if workers:
        processes = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=AHEAD)
        batches = batches.mp_prefetch(processes, worker_init_fn=_end_with_the_job)
    return iter(batches)


def _end_with_the_job(worker: int, workers: int) -> None:
    """Have a reader end with the process of its job, and not before.

    A process that is killed can't end its readers, which would wait for good; and signals to all processes of a launch,
    such as Ctrl-C, leave them alone, so that the job can end its dispatch.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    job = multiprocessing.parent_process()

    def watch() -> None:
        if job is not None:
            job.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
