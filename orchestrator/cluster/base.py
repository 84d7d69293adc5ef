"""Where jobs run: what every such place promises, and `Here`, this process; the other one is `on_ray`."""

import threading
from collections.abc import Iterator, Mapping
from typing import Protocol

from scalectl.orchestrator.cluster.worker import stream
from scalectl.trainer.events import Alive, Event, Stop
from scalectl.trainer.spec import Job

Batch = tuple[str, list[Event]]


class Cluster(Protocol):
    """A fixed set of slots; each started job sends batches of events, the last of which ends with its end."""

    slots: tuple[str, ...]
    types: Mapping[str, str]  # of slots that are more than a CPU worker

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on a free slot."""

    def events(self, timeout: float) -> list[Batch]:
        """Return what the slots have told, in order for each slot; waits at most about `timeout` seconds."""

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""

    def close(self) -> None:
        """Give everything back; running jobs are killed."""


class _Either:
    """A stop that was asked for when any of several was."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(one.is_set() for one in self._stops)


class Here:
    """One slot in this process, without Ray: for tests, for debugging, and for the smallest machines.

    `stopping` ends a job also while `events` waits for it, which is when nobody can call `stop`.
    """

    slots: tuple[str, ...] = ("here",)
    types: Mapping[str, str] = {}

    def __init__(self, stopping: threading.Event | None = None) -> None:
        self._stream: Iterator[list[Event]] = iter(())
        self._stopping = threading.Event()
        self._either = _Either(*filter(None, (self._stopping, stopping)))

    def start(self, slot: str, job: Job) -> None:
        """Begin a job; it advances while `events` is called."""
        self._stopping.clear()
        self._stream = stream(job, self._either)

    def events(self, timeout: float) -> list[Batch]:
        """Return the next batch of the job, trained meanwhile, or nothing when none runs."""
        batch = told(next(self._stream, []))
        return [("here", batch)] if batch else []

    def stop(self, slot: str) -> None:
        """Ask the job to leave a checkpoint and end with Stopped."""
        self._stopping.set()

    def close(self) -> None:
        """Drop the job where it is."""
        self._stream = iter(())


def told(batch: list[Event]) -> list[Event]:
    """Return a batch without signs of life."""
    return [event for event in batch if not isinstance(event, Alive)]
