"""Checkpoints written while training goes on."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as await_all

import jax
from jax.experimental import multihost_utils

from scalectl.trainer.checkpoint import Saved, prune, save
from scalectl.trainer.claim import check
from scalectl.trainer.events import Progress
from scalectl.trainer.grouping import resting
from scalectl.trainer.sharding import gathered
from scalectl.trainer.step import State


class Writer:
    """Writes the checkpoints of a job to `folder`, one at a time, in a thread of its own, and prunes older ones.

    Of several processes that hold a state together, the first one writes. Raises Superseded, with the next checkpoint,
    once a newer attempt than that of `token` has claimed the folder.
    """

    def __init__(self, folder: str, token: str = "") -> None:
        self._folder, self._token = folder, token
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[Saved] | None = None

    def begin(self, state: State, device_seconds: float, curve: Sequence[Progress]) -> None:
        """Begin to write a state, which the caller may donate at once; the one before has to be complete.

        On a CPU the snapshot is a view: JAX gives a donated step new memory for as long as the view is held.
        """
        snapshot: State = resting(gathered(state))
        self._writing = self._thread.submit(self._write, snapshot, device_seconds, tuple(curve))

    def complete(self, *, wait: bool = False) -> Iterator[Saved]:
        """Yield the checkpoint that has become complete since the last call, or that does while this waits.

        All processes have to wait together. Only the first one knows of a complete checkpoint before that.
        """
        if wait:
            self._wait()
        if self._writing and (wait or (self._writing.done() and jax.process_index() == 0)):
            saved, self._writing = self._writing.result(), None
            yield saved

    def _wait(self) -> None:
        """Wait for what is being written, here and by the first process."""
        if self._writing:
            await_all([self._writing])
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("checkpoint")

    def close(self) -> None:
        """Wait for what is being written."""
        self._thread.shutdown()

    def _write(self, snapshot: State, device_seconds: float, curve: Sequence[Progress]) -> Saved:
        check(self._folder, self._token)
        saved = save(self._folder, snapshot, device_seconds, curve)
        check(self._folder, self._token)  # what looks half written may be the other's
        prune(self._folder, saved.step)
        return saved
