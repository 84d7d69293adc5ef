"""A job on its slot: the trainer's events in batches, with an end whatever happens."""

import errno
import os
import signal
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from scalectl.orchestrator.cluster.capacity import capacity
from scalectl.orchestrator.cluster.lease import Taken, leased
from scalectl.orchestrator.cluster.orphan import ends_with_parent
from scalectl.orchestrator.cluster.process import bind
from scalectl.orchestrator.cluster.readers import readers
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer import cache, environment, own_code, stored
from scalectl.trainer.claim import Superseded
from scalectl.trainer.compiling import give_back
from scalectl.trainer.events import Alive, Done, Event, Failed, Started, Stop, Stopped
from scalectl.trainer.multihost import Host, join, named
from scalectl.trainer.spec import Job

FLUSH_SECONDS = 0.2
FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or a user's part of it


@dataclass(frozen=True)
class Place:
    """Where a worker's jobs run, as whoever placed it says; no part of what a run is."""

    cores: tuple[int, ...] = ()  # all, where none is named
    platform: str = ""  # cpu, cuda or tpu; where none is named, JAX_PLATFORMS of the environment, or else cpu
    gpus: float = 0.0  # of the host's that are its own; 0: whatever devices there are
    host: Host | None = None  # which of the processes that run each job together, where one is not enough


def on_node(place: Place) -> Place:
    """A place on a node with accelerators, whose own JAX_PLATFORMS goes before the platform of the slot."""
    if place.platform != CPU and "JAX_PLATFORMS" in os.environ:
        return replace(place, platform="")
    return place


class Worker:
    """Runs jobs one after another in a process that keeps JAX and its compiled programs warm.

    It has the process to itself: a first SIGTERM is a notice that the machine is taken away, and lets the job leave a
    checkpoint; a second one, or one while nothing runs, ends the process. So does the end of its parent, soon after.
    """

    def __init__(self, place: Place = Place()) -> None:
        if place.cores:
            bind(place.cores)  # before JAX starts its threads, which inherit it
        stored.use()
        self._place = place
        self._stopping: defaultdict[int, threading.Event] = defaultdict(threading.Event)
        self._running: set[int] = set()
        self._leaving = ""  # why all jobs are to end, once they are
        self._at_once: Any = signal.signal(signal.SIGTERM, self._leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # Ray's own processes keep it blocked
        ends_with_parent(lambda: self._leave_all("its node has ended"), lambda: bool(self._running))

    def run(self, job: Job, turn: int) -> Iterator[list[Event]]:
        """Yield the job's events in batches; the last event of the last batch is Done, Stopped or Failed.

        No two calls have the same `turn`: a job that is tried again is another turn, with a stop of its own.
        """
        self._running.add(turn)
        for batch in stream(job, self._stopping[turn], self._place):
            if self._leaving:
                batch = preempted(batch, self._leaving)
            yield batch
        self._running.discard(turn)
        del self._stopping[turn]

    def stop(self, turn: int) -> None:
        """Ask the job of a turn that runs, or is about to, to leave a checkpoint and end."""
        self._stopping[turn].set()

    def _leave(self, number: int, frame: object) -> None:
        if self._leaving or not self._running:
            self._at_once(number, frame)
        self._leave_all("its worker got SIGTERM")

    def _leave_all(self, reason: str) -> None:
        self._leaving = reason
        for turn in list(self._running):
            self._stopping[turn].set()


def preempted(batch: list[Event], reason: str) -> list[Event]:
    """The same batch, in which a job that stopped was pre-empted."""
    *before, end = batch
    if not isinstance(end, Stopped):
        return batch
    return [*before, Failed("preempted", end.step, reason)]


def stream(job: Job, stopping: Stop, place: Place = Place()) -> Iterator[list[Event]]:
    """Yield the events of a job in batches, an exception turned into Failed, so that each stream has one end."""
    batch: list[Event] = []
    flushed = time.monotonic()
    for event in _events(job, stopping, place):
        if batch and isinstance(event, Alive) and isinstance(batch[-1], Alive):
            batch.pop()
        batch.append(event)
        if isinstance(event, Started | Done | Stopped | Failed) or time.monotonic() - flushed >= FLUSH_SECONDS:
            yield batch
            batch, flushed = [], time.monotonic()


def _events(job: Job, stopping: Stop, place: Place) -> Iterator[Event]:
    step = job.start
    try:
        prepare_jax(place)
        own_code.load(*job.code)
        from scalectl.trainer.train import train

        with _leased(job, stopping, place) as free:
            if not free:
                yield Stopped(step)
                return
            if job.workers is None:
                job = replace(job, workers=_readers(job, place))
            for event in train(job, stopping):
                step = event.step
                yield event
    except Exception as error:  # whatever the trainer raises is the job's failure, never the launcher's
        kind, reason = _kind(error), "".join(traceback.format_exception(error)).rstrip()
        if kind == "disk_full":  # whose own last line has no path, or many
            reason += f"\n{_full(error)}. Checkpoints go to {job.folder}"
        yield Failed(kind, step, redacted(reason))
    finally:
        give_back()  # the next job may be a small one


def _readers(job: Job, place: Place) -> int:
    """The processes that read images for a job whose study names no number; a thread is enough for cached ones."""
    if job.trunk.data.cached:
        return 0
    return readers(os.environ["JAX_PLATFORMS"], place.gpus)


def _leased(job: Job, stopping: Stop, place: Place) -> AbstractContextManager[bool]:
    """The right to write the checkpoints of a job; of several hosts the first one writes."""
    if place.host is not None and place.host.index:
        return nullcontext(True)
    return leased(job.folder, stopping)


def _kind(error: Exception) -> str:
    if isinstance(error, Taken):
        return "no_capacity"
    if isinstance(error, Superseded):
        return "node_lost"
    if _full(error):
        return "disk_full"  # for TensorStore that is a resource that is exhausted, too
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "out_of_memory"
    return "user_error"


def _full(error: Exception) -> str:
    """What the system says of a full disk, where an error is of one."""
    return next((text for text in map(os.strerror, FULL) if text in str(error)), "")


def prepare_jax(place: Place) -> None:
    """Point JAX at its place and at a compilation cache that only this user can read, unless the environment has one.

    Of the environment only what changes no number is left. A TPU slice of several hosts is joined as `place.host` says,
    or as the variables of the slice do where it is None.
    """
    environment.clear(os.environ)
    platforms = place.platform or environment.platforms(os.environ)
    os.environ["JAX_PLATFORMS"] = platforms
    if not platforms.startswith("cpu"):  # the one thread of `trainer` is for sums on a CPU
        os.environ["PJRT_NPROC"] = str(capacity().cores)  # elsewhere the threads only compile
    import jax

    jax.config.update("jax_platforms", platforms)  # code of one's own may have imported JAX before

    host = place.host
    if host is None and platforms.startswith("tpu"):
        host = named(os.environ)
    join(host)
    jax.config.update("jax_traceback_filtering", "off")  # else the last line of a traceback isn't its cause
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache.folder("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
