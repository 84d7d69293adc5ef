"""Where jobs run: on Ray, or here in this process; both have the same signature and the same promises."""

import itertools
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from orchestrator.exits import Exit, Refusal
from orchestrator.worker import Place, Worker, stream
from trainer.events import Event, Failed, Stop
from trainer.spec import Job

Batch = tuple[str, list[Event]]
KNOCK_SECONDS = 10.0


class Unreachable(Refusal):
    """A cluster that can't be joined."""

    exit = Exit.NOT_FOUND


class Cluster(Protocol):
    """A fixed set of slots; each started job sends batches of events, the last of which ends with its end."""

    slots: tuple[str, ...]

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
        batch = next(self._stream, None)
        return [] if batch is None else [("here", batch)]

    def stop(self, slot: str) -> None:
        """Ask the job to leave a checkpoint and end with Stopped."""
        self._stopping.set()

    def close(self) -> None:
        """Drop the job where it is."""
        self._stream = iter(())


class OnRay:
    """Long-lived Ray actors, one a slot, in an embedded cluster on 127.0.0.1 or in one that runs at `address`.

    Raises Unreachable when no cluster answers at `address`.
    """

    def __init__(self, slots: int | None = None, address: str | None = None) -> None:
        if address is not None:
            _knock(address)
        _secure(address)
        import ray

        self._ray: Any = ray
        self._local = address is None
        cores = sorted(os.sched_getaffinity(0))
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        if self._local:
            count = slots or len(cores)
            options |= {"num_cpus": count, "include_dashboard": False, "object_store_memory": 100 * 2**20}
        try:
            self._ray.init(address=address or "local", namespace="scalectl", **options)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            if self._local:
                raise
            raise Unreachable(f"the Ray cluster at {address} can't be joined: {_first_line(error)}") from error
        count = slots or int(self._ray.cluster_resources().get("CPU", 1))
        self._cores = {
            f"cpu-{n}": tuple(cores[n::count]) if self._local and count <= len(cores) else () for n in range(count)
        }
        self.slots: tuple[str, ...] = tuple(self._cores)
        self._actors: dict[str, Any] = {}
        self._streams: dict[str, Any] = {}
        self._turns: dict[str, int] = {}
        self._count = itertools.count()
        self._steps: dict[str, int] = {}

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on the slot's actor, which is made first when there is none or it died."""
        if slot not in self._actors:
            actor = self._ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"control": 1})(Worker)
            self._actors[slot] = actor.remote(Place(self._cores[slot]))
        self._turns[slot], self._steps[slot] = next(self._count), job.start
        self._streams[slot] = self._actors[slot].run.options(num_returns="streaming").remote(job, self._turns[slot])

    def events(self, timeout: float) -> list[Batch]:
        """Return the batches that have come, at most one a slot; a dead worker's job ends with Failed."""
        if not self._streams:
            return []
        streams = list(self._streams.values())
        ready, _ = self._ray.wait(streams, num_returns=1, timeout=timeout, fetch_local=False)
        if ready:  # one was worth waking for; take what else is there
            ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        told = []
        for slot in [slot for slot, one in self._streams.items() if one in ready]:
            batch = self._take(slot)
            if batch:
                told.append((slot, batch))
        return told

    def _take(self, slot: str) -> list[Event]:
        try:
            batch: list[Event] = self._ray.get(next(self._streams[slot]))
        except StopIteration:
            del self._streams[slot]
            return []
        except self._ray.exceptions.RayError as error:
            del self._streams[slot]
            self._drop(slot)
            return [Failed("node_lost", self._steps[slot], f"the worker of slot {slot} died: {_first_line(error)}")]
        self._steps[slot] = batch[-1].step
        return batch

    def _drop(self, slot: str) -> None:
        self._ray.kill(self._actors.pop(slot), no_restart=True)

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        self._actors[slot].stop.options(concurrency_group="control").remote(self._turns[slot])

    def close(self) -> None:
        """Kill the actors; an embedded cluster ends with them, one that was joined goes on."""
        for slot in list(self._actors):
            self._drop(slot)
        self._ray.shutdown()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _knock(address: str) -> None:
    """Raise Unreachable where nobody listens; Ray itself would ask for two minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except (OSError, ValueError) as error:
        remedy = "give the HOST:PORT of its head, and no ray:// address"
        raise Unreachable(f"no Ray cluster at {address!r}: {error}; {remedy}.") from error


def _secure(address: str | None) -> None:
    """Set what Ray reads at import: token authentication, no usage reports, and loopback sockets when embedded."""
    folder = Path.home() / ".ray"
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else Ray rebuilds the environment for every worker under `uv run`
        "RAY_DEDUP_LOGS": "0",
    }
    if address is None:
        token = _token(folder / "scalectl_token")
        defaults |= {"RAY_AUTH_TOKEN_PATH": str(token), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if address is None or given or (folder / "auth_token").exists():  # a cluster without tokens takes none
        defaults["RAY_AUTH_MODE"] = "token"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _token(path: Path) -> Path:
    """Return a file that holds the secret of embedded clusters, made for this user alone when there is none."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_text(secrets.token_hex(32))
        beside.replace(path)
    return path
