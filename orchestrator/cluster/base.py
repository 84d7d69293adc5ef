"""Where jobs run: what a launch asks of every such place, and what a new kind of place has to provide."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scalectl.trainer.events import Event, Stop
from scalectl.trainer.spec import Job

Batch = tuple[str, list[Event]]


class Cluster(Protocol):
    """A set of slots; each started job sends batches of events, the last of which ends with its end.

    While `events` is called slots may come and go; one that has a job stays until that has ended. A subclass inherits
    what a place without neighbours needs of the rest.
    """

    slots: tuple[str, ...]
    types: Mapping[str, str]  # of slots that are more than a CPU worker

    @property
    def waiting(self) -> str:
        """What its slots are waited for that have a job and no worker yet, and why; or nothing."""
        return ""

    @property
    def lost(self) -> str:
        """Why nothing can be started any more, so that jobs are to leave their checkpoints; empty while all is well."""
        return ""

    def notices(self) -> list[str]:
        """What a person has to know of its nodes, a sentence each, since this was last asked."""
        return []

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
    grows: bool = False  # no slot at all is no refusal: some may come


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
    lost: str = ""  # why nothing can be started any more
    grows: bool = False  # there may be more slots later

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

    def inventory(self, slot: str) -> str:
        """What a slot needs and what of it is free, in a few words, for whoever waited for the slot in vain."""
        return "nothing is free"

    def place(self, slot: str) -> str:
        """The machines on which the worker of a slot has its place, in words; nothing where that isn't known."""
        return ""

    def held(self, slot: str) -> str:
        """What others hold of the place that a slot waits for, in a few words; empty where its worker should come."""
        return ""

    def follow(self) -> None:  # noqa: B027 - most places stay as they are
        """Bring `slots` up to date; those with a job stay."""

    def notices(self) -> list[str]:
        """What a person has to know of its machines, a sentence each, since this was last asked."""
        return []

    def admit(self, artifacts: str) -> None:  # noqa: B027 - most places are on this machine
        """Leave out machines that can't run jobs; raises Refusal where one doesn't see the folder of artifacts."""

    def lacking(self) -> str:
        """What the place has in place of slots, in a few words, where it has none."""
        return "it has no slots"
