"""Jobs on Ray: an actor a slot."""

import itertools
import os
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.base import Backend, Lost, Report, Request
from scalectl.orchestrator.cluster.process import BINDS, last_words, stderr_file, usable
from scalectl.orchestrator.cluster.ray_gang import Gang, released
from scalectl.orchestrator.cluster.ray_server import Embedded, first_line, join, secure
from scalectl.orchestrator.cluster.ray_slots import Draining, Seats, lacking, plain
from scalectl.orchestrator.cluster.ray_slots import slots as slots_of
from scalectl.orchestrator.cluster.room import room
from scalectl.orchestrator.cluster.worker import Place, Worker
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.events import Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job

class OnRay(Backend):
    """Long-lived Ray actors, one a slot, in an embedded cluster on 127.0.0.1 or in one that runs at an address.

    Raises Unreachable when no cluster answers, and Refusal when it has no slot of the types that are wanted.
    """

    def __init__(self, request: Request) -> None:
        self._embedded: Embedded | None = None
        self._connect(request)
        self._seats: dict[str, Seats] = {}
        self._cores: dict[str, tuple[int, ...]] = {}
        self._survey(request)
        self.slots = (*self._cores, *self._seats)
        self._launcher = f"{os.getpid()}-{secrets.token_hex(4)}"  # by which the gangs of this launch are known
        self._actors: dict[str, Actor] = {}
        self._turns = itertools.count()
        self._draining = Draining(self._ray)

    def _connect(self, request: Request) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        options |= {"namespace": "scalectl"}
        if request.address is not None:
            self._ray: Any = join(request.address, options)
            return
        secure(None)
        import ray

        self._ray = ray
        free = room()
        workers = max(request.slots or free.workers, _largest_gang(request.wanted))
        options |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": free.object_store}
        self._embedded = Embedded(ray, options)

    def _survey(self, request: Request) -> None:
        """Note the slots that the cluster has of the types that are wanted."""
        nodes, cores = self._ray.nodes(), usable()
        special = slots_of(request.wanted, nodes)
        if plain(request.wanted, special):
            count = request.slots or int(self._ray.cluster_resources().get("CPU", 1))
            self._cores = {f"cpu-{n}": () for n in range(count)}
            if BINDS and self._embedded and count <= len(cores):
                self._cores = {f"cpu-{n}": tuple(cores[n::count]) for n in range(count)}
        self._seats = {slot.name: seats for slot, seats in special.items()}
        self.types = {slot.name: slot.type for slot in special}
        if not (self._cores or self._seats):
            self._shut_down()
            raise Refusal(f"refused: {lacking(request.wanted, nodes)}.")

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on the slot's actor, which is made first when there is none or it died."""
        if slot not in self._actors:
            self._actors[slot] = self._new_actor(slot)
        self._actors[slot].run(job, next(self._turns))

    def _new_actor(self, slot: str) -> Actor:
        if slot in self._cores:
            return cpu_worker(self._ray, self._cores[slot])
        if self._seats[slot].gang:
            return conductor(self._ray, self._seats[slot], f"{slot} of {self._launcher}")
        return gpu_worker(self._ray, self._seats[slot])

    @property
    def _busy(self) -> dict[str, Actor]:
        return {slot: actor for slot, actor in self._actors.items() if actor.stream is not None}

    def events(self, timeout: float) -> list[Report]:
        """The batches that have come, at most one a slot; where a process of Ray's own ended, all jobs are lost."""
        streams = {slot: actor.stream for slot, actor in self._busy.items()}
        if not streams:
            return []
        ready = self._ready([*streams.values()], 1, timeout)
        if ready:  # one was worth waking for; the others that are there by now come along
            ready = self._ready([*streams.values()], len(streams), 0)
        if self._embedded and (ended := self._embedded.ended()):
            return self._renew(self._embedded, ended)
        reports = [(slot, self._next(slot)) for slot, stream in streams.items() if stream in ready]
        return [(slot, report) for slot, report in reports if report]

    def _ready(self, streams: list[Any], count: int, timeout: float) -> list[Any]:
        ready, _ = self._ray.wait(streams, num_returns=count, timeout=timeout, fetch_local=False)
        return list(ready)

    def _next(self, slot: str) -> list[Event] | Lost:
        actor = self._actors[slot]
        try:
            batch: list[Event] = self._ray.get(next(actor.stream))
        except StopIteration:
            actor.stream = None
            return []
        except self._ray.exceptions.RayError as error:
            return self._lost(slot, error)
        if isinstance(batch[-1], Done | Stopped | Failed):
            actor.stream = None
        return batch

    def _lost(self, slot: str, error: Exception) -> Lost:
        """The loss of a worker; which exception it comes as says little, so the node is looked at."""
        kind = "node_lost"
        if isinstance(error, self._ray.exceptions.OutOfMemoryError) or "running low on memory" in str(error):
            kind = "out_of_memory"
        elif getattr(error, "preempted", False):
            kind = "preempted"
        elif getattr(error, "actor_init_failed", False):  # an exception, which would be raised again
            kind = "user_error"
        actor, victim = self._actors[slot], "worker"
        if actor.node and actor.node not in {entry["NodeID"] for entry in self._ray.nodes() if entry["Alive"]}:
            victim = "node"
        words = actor.last_words()
        self.kill(slot)
        return Lost(f"{words}\nthe {victim} of slot {slot} died: {_cause(error)}".strip(), kind)

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        self._actors[slot].stop()

    def kill(self, slot: str) -> None:
        """Kill the actor of a slot."""
        self._actors.pop(slot).kill()

    def present(self, slot: str) -> bool:
        """Whether the actor of a slot is there; a gang can't tell."""
        return bool(self._actors[slot].node)

    def draining(self) -> Collection[str]:
        """The slots with jobs on nodes that will be taken away."""
        nodes = self._draining.nodes()
        return [slot for slot, actor in self._busy.items() if nodes and actor.node in nodes]

    def make_room(self) -> None:
        """Kill idle actors: slots of two types may share CPUs or GPUs."""
        for slot in self._actors.keys() - self._busy.keys():
            self.kill(slot)

    def inventory(self) -> str:
        """The CPUs of the cluster, and those that are free."""
        total, free = self._ray.cluster_resources(), self._ray.available_resources()
        return f"it needs 1 CPU, and of {total.get('CPU', 0):g} in the cluster {free.get('CPU', 0):g} are free"

    def close(self) -> None:
        """Kill the actors; an embedded cluster ends with them, one that was joined goes on."""
        for slot in list(self._actors):
            self.kill(slot)
        self._shut_down()

    def _shut_down(self) -> None:
        (self._embedded or self._ray).shutdown()

    def _renew(self, embedded: Embedded, ended: str) -> list[Report]:
        """Start a cluster anew of which one of Ray's own processes ended; all jobs are lost."""
        slots = list(self._busy)
        self._actors.clear()
        embedded.shutdown()
        embedded.start()
        return [(slot, Lost(f"Ray's {ended} ended, and its cluster was started anew")) for slot in slots]


def _largest_gang(wanted: Mapping[str, float]) -> int:
    """The workers of the largest gang of CPU workers that is wanted, or 1."""
    return max((int(devices) for name, devices in wanted.items() if name.startswith(f"{CPU}-")), default=1)


def _cause(error: Exception) -> str:
    """What Ray says of why an actor died: a sentence, or the traceback of one that raised while it was made."""
    if getattr(error, "actor_init_failed", False):
        return str(error).strip()
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return next((line for line in lines if line.startswith("The actor is dead because")), first_line(error))
