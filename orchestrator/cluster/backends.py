"""The backends by name, and the smallest of them: this process."""

import threading
from collections.abc import Callable, Iterator

from scalectl.orchestrator.cluster.base import Backend, Report, Request
from scalectl.orchestrator.cluster.ray_cluster import OnRay
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.cluster.worker import stream
from scalectl.orchestrator.errors import NotFound, did_you_mean
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.events import Event, Stop
from scalectl.trainer.spec import Job


class _AnyOf:
    """A stop that is set when any of several is."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(stop.is_set() for stop in self._stops)


class Here(Backend):
    """This process: for tests, for debugging, and for the smallest machines.

    The request's `stopping` ends a job also while `events` waits for it, which is when nobody can call `stop`.
    """

    slots = ("here",)

    def __init__(self, request: Request) -> None:
        self._batches: Iterator[list[Event]] = iter(())
        self._stopping = threading.Event()
        self._any = _AnyOf(self._stopping)
        if request.stopping is not None:
            self._any = _AnyOf(self._stopping, request.stopping)

    def start(self, slot: str, job: Job) -> None:
        """Begin a job; it advances while `events` is called."""
        self._stopping.clear()
        self._batches = stream(job, self._any)

    def events(self, timeout: float) -> list[Report]:
        """The next batch of the job, trained meanwhile; none where no job runs."""
        batch = next(self._batches, [])
        if not batch:
            return []
        return [("here", batch)]

    def stop(self, slot: str) -> None:
        """Ask the job to leave a checkpoint and end with Stopped."""
        self._stopping.set()

    def kill(self, slot: str) -> None:
        """Drop the job where it is."""
        self._batches = iter(())

    def close(self) -> None:
        """Drop the job where it is."""
        self.kill("here")


OWN = "one of your own is known after scalectl --code FILE"
BACKENDS: dict[str, Callable[[Request], Backend]] = {"here": Here, "ray": OnRay}


def fixed_slots(name: str) -> dict[str, str]:
    """The slots, with their types, of a backend that has the same ones on every machine; of any other none."""
    backend = BACKENDS.get(name)
    return dict.fromkeys(getattr(backend, "slots", ()), CPU)


def opened(name: str, request: Request | None = None, patience: Patience | None = None) -> Supervisor:
    """The slots of a backend, ready for jobs; raises NotFound for a name that no backend has.

    What a backend itself raises is a Refusal, too: a cluster that can't be joined, or one without such slots.
    """
    if name not in BACKENDS:
        raise NotFound(
            f"no backend is called {name!r}: {did_you_mean(name, BACKENDS) or ', '.join(sorted(BACKENDS))}; {OWN}"
        )
    return Supervisor(BACKENDS[name](request or Request()), patience)
