"""Where jobs run: what a launch asks of every such place, and what a new kind of place has to provide."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scalectl.trainer.events import Event, Stop
from scalectl.trainer.spec import Job

Batch = tuple[str, list[Event]]


class Cluster(Protocol):
    """A fixed set of slots; each started job sends batches of events, the last of which ends with its end."""

    slots: tuple[str, ...]
    types: Mapping[str, str]  # of slots that are more than a CPU worker

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on a free slot."""

    def events(self, timeout: float) -> list[Batch]:
        """The news of the slots, in order for each slot; waits at most about `timeout` seconds."""

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""

    def close(self) -> None:
        """Give everything back; running jobs are killed."""


@dataclass(frozen=True)
class Request:
    """What a launch asks of a backend, which takes what concerns it."""

    slots: int | None = None  # CPU workers; the backend chooses where None
    address: str | None = None  # of a cluster that runs already
    wanted: Mapping[str, float] = field(default_factory=dict)  # types of slots that jobs ask for -> devices of each
    stopping: Stop | None = None  # set once the launch is to end


@dataclass(frozen=True)
class Lost:
    """The end of a worker that could report none, and the kind of failure that this is."""

    reason: str
    kind: str = "node_lost"  # a name in `failures.FAILURE_KINDS`


Report = tuple[str, list[Event] | Lost]  # of a slot


class Backend(ABC):
    """A kind of place for jobs; `Supervisor` makes a Cluster of it.

    A subclass takes a `Request`, has `slots`, and runs jobs with `worker.stream` or a `worker.Worker`, which turn
    whatever happens to a job into batches of events. The methods that aren't abstract are for places that grow, shrink
    or are shared with others.
    """

    slots: tuple[str, ...]
    types: Mapping[str, str] = {}  # of slots that are more than a CPU worker

    @abstractmethod
    def start(self, slot: str, job: Job) -> None:
        """Begin a job on a free slot, with a new worker where the last one was killed or lost."""

    @abstractmethod
    def events(self, timeout: float) -> list[Report]:
        """The batches that have come from slots, or their loss; waits at most about `timeout` seconds for the first."""

    @abstractmethod
    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""

    @abstractmethod
    def kill(self, slot: str) -> None:
        """End the worker of a slot at once; nothing is heard of its job any more."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back; running jobs are killed."""

    def present(self, slot: str) -> bool:
        """Whether the worker of a slot is there, which may be waited for."""
        return True

    def draining(self) -> Collection[str]:
        """The slots with jobs whose machines will be taken away."""
        return ()

    def make_room(self) -> None:  # noqa: B027 - most places share nothing
        """End idle workers: a slot is waited for in vain."""

    def inventory(self) -> str:
        """What the place has and what of it is free, in a few words, for whoever waited for a slot in vain."""
        return "nothing is free"
