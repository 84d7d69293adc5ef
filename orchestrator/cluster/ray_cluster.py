"""Jobs on Ray: an actor a slot."""

import itertools
import os
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from scalectl.orchestrator.cluster.accelerators import unusable
from scalectl.orchestrator.cluster.base import Backend, Lost, Report, Request
from scalectl.orchestrator.cluster.capacity import capacity
from scalectl.orchestrator.cluster.following import followed, hosts, inventory, largest_gang, left_by, shortage, workers
from scalectl.orchestrator.cluster.process import BINDS, usable
from scalectl.orchestrator.cluster.ray_actor import Actor, Maker
from scalectl.orchestrator.cluster.ray_gang import placed, released
from scalectl.orchestrator.cluster.ray_head import Head
from scalectl.orchestrator.cluster.ray_nodes import Nodes
from scalectl.orchestrator.cluster.ray_server import Embedded, first_line, join, secure
from scalectl.orchestrator.cluster.ray_slots import Draining, Seats, lacking, plain
from scalectl.orchestrator.cluster.ray_slots import slots as slots_of
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import last_line
from scalectl.orchestrator.vocabulary import CPU, Slot
from scalectl.trainer.events import Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job


class OnRay(Backend):
    """Long-lived Ray actors, one a slot, in an embedded cluster on 127.0.0.1 or in one that runs at an address.

    Slots of a cluster that was joined follow its nodes. Raises Unreachable when no cluster answers, and Refusal when it
    has no slot of the types that are wanted, unless more may come.
    """

    def __init__(self, request: Request) -> None:
        self._embedded: Embedded | None = None
        self._nodes: Nodes | None = None  # of a cluster that was joined
        self._head = Head(request.address)
        self._connect(request)
        self._offered: dict[Slot, Seats] = {}
        self._cores: dict[str, tuple[int, ...]] = {}
        if request.address is None:
            self._survey(request)
        else:
            self._nodes, self.grows = Nodes(self._ray, self._head, request), True
            self._offer(self._nodes.slots())
        if not (self.slots or (self._nodes and request.grows)):
            words = self.lacking()
            self._shut_down()
            raise Refusal(f"refused: {words}.")
        self._maker = Maker(self._ray, f"{os.getpid()}-{secrets.token_hex(4)}")
        self._actors: dict[str, Actor] = {}
        self._turns = itertools.count()
        self._draining = Draining(self._ray)
        self._returned: list[Report] = []  # jobs of slots that have left before their workers were there

    def _connect(self, request: Request) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        options |= {"namespace": "scalectl"}
        if request.address is not None:
            self._ray: Any = join(request.address, options)
            return
        secure(None)
        import ray

        self._ray = ray
        own = capacity()
        count = max(request.slots or own.workers, largest_gang(request.wanted))
        options |= {"num_cpus": count, "include_dashboard": False, "object_store_memory": own.object_store}
        self._embedded = Embedded(ray, options)

    def _survey(self, request: Request) -> None:
        """Note the slots that an embedded cluster has of the types that are wanted."""
        self._lacking = lacking(request.wanted, self._ray.nodes())
        cores, slots = usable(), slots_of(request.wanted, self._ray.nodes())
        useless = unusable()  # Ray counts devices that JAX may not be built for
        slots = {slot: seats for slot, seats in slots.items() if seats.platform not in useless}
        if plain(request.wanted, slots):
            count = request.slots or int(self._ray.cluster_resources().get("CPU", 1))
            slots = workers(count) | slots
            if BINDS and count <= len(cores):
                self._cores = {f"{CPU}-{n}": tuple(cores[n::count]) for n in range(count)}
        self._offer(slots)

    def _offer(self, slots: Mapping[Slot, Seats]) -> None:
        self._offered = dict(slots)
        self.slots = tuple(slot.name for slot in slots)
        self.types = {slot.name: slot.type for slot in slots if slot.type != CPU}

    def admit(self, artifacts: str) -> None:
        """Leave out the nodes of a cluster that can't run jobs; raises Refusal where one doesn't see the artifacts."""
        if self._nodes:
            self._nodes.admit(artifacts)
            self._maker.probe = self._nodes.probe
            self._follow(self._nodes)

    def follow(self) -> None:
        """Bring the slots up to date with the nodes of a cluster that was joined."""
        if self._nodes and not self.lost and self._nodes.follow():
            self._follow(self._nodes)

    def _follow(self, nodes: Nodes) -> None:
        placed = self._busy
        working = {name for name, actor in placed.items() if actor.placed or self.place(name)}
        self._maker.left_out, before, self._maker.usable = nodes.left_out, self._maker.usable, nodes.usable
        self._offer(followed(self._offered, nodes.slots(), working, placed))
        for name in self._actors.keys() - {*self.slots}:
            self.kill(name)
            if name in placed:
                self._returned.append((name, Lost(f"the cluster has no place for slot {name} any more", "slot_lost")))
        if self._maker.usable != before:
            for actor in self._actors.values():
                actor.use(self._maker.usable)

    @property
    def lost(self) -> str:  # type: ignore[override]
        """Why nothing can be started any more: the head of a cluster that was joined is gone, or this node."""
        if self._nodes is None:
            return ""
        return self._nodes.lost

    def notices(self) -> list[str]:
        """What a person has to know of the nodes of a cluster that was joined."""
        if self._nodes is None:
            return []
        return self._nodes.notices()

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on the slot's actor, which is made first when there is none or it died."""
        if slot not in self._actors:
            self._actors[slot] = self._maker.actor(slot, self._seats(slot), self._cores.get(slot, ()))
        self._actors[slot].run(job, next(self._turns))

    def _seats(self, slot: str) -> Seats:
        return next(seats for offered, seats in self._offered.items() if offered.name == slot)

    @property
    def _busy(self) -> dict[str, Actor]:
        return {slot: actor for slot, actor in self._actors.items() if actor.stream is not None}

    def events(self, timeout: float) -> list[Report]:
        """The batches that have come, at most one a slot; where a process of Ray's own ended, all jobs are lost."""
        if self._returned:
            returned, self._returned = self._returned, []
            return returned
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
        actor.heard = True
        if isinstance(batch[-1], Done | Stopped | Failed):
            actor.stream = None
        return batch

    def _lost(self, slot: str, error: Exception) -> Lost:
        """The loss of a worker; which exception it comes as says little, so the node is looked at."""
        kind, actor, victim = "node_lost", self._actors[slot], "worker"
        if isinstance(error, self._ray.exceptions.OutOfMemoryError) or "running low on memory" in str(error):
            kind = "out_of_memory"
        elif getattr(error, "preempted", False):
            kind = "preempted"
        elif getattr(error, "actor_init_failed", False):  # an exception, which would be raised again
            if self._nodes:
                return self._not_made(slot, self._nodes, error)
            kind = "user_error"
        if self._nodes:
            self._nodes.hurry()
            if actor.node and not self._nodes.alive(actor.node):
                victim = "node"
        words = actor.last_words()
        self.kill(slot)
        return Lost(f"{words}\nthe {victim} of slot {slot} died: {_cause(error)}".strip(), kind)

    def _not_made(self, slot: str, nodes: Nodes, error: Exception) -> Lost:
        """The loss of a slot on whose node no worker can be made; other nodes may do."""
        node, reason = self._node(getattr(error, "actor_id", "")), last_line(str(error))
        self.kill(slot)
        if not node:  # it would be tried there without an end
            return Lost(reason, "user_error")
        return Lost(f"no worker can be made on node {nodes.leave_out(node, reason)}: {reason}", "slot_lost")

    def _node(self, actor: str) -> str:
        """The node that an actor was to be made on; nothing where that is not known."""
        nothing: dict[str, Any] = {}
        entry = self._head.ask(lambda: self._ray._private.state.actors(actor), nothing)
        node = str(entry.get("Address", {}).get("NodeID", ""))
        return node.strip("f") and node  # Ray's id of no node

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        if slot in self._actors:  # else its node has left, which `events` is about to tell
            self._actors[slot].stop()

    def kill(self, slot: str) -> None:
        """Kill the actor of a slot."""
        actor = self._actors.pop(slot)
        actor.kill()
        if actor.gang:
            self._head.ask(lambda: released(self._ray, actor.gang), None)

    def present(self, slot: str) -> bool:
        """Whether the actor of a slot is there; a gang can't tell."""
        return bool(self._actors[slot].node)

    def held(self, slot: str) -> str:
        """What others hold of the place that a slot waits for: jobs of this launch, or whoever shares the cluster."""
        if self.place(slot):  # its own workers have it, and start
            return ""
        if self._nodes:
            return self._nodes.held(self._seats(slot))
        others = [self._seats(name) for name, actor in self._actors.items() if name != slot and actor.placed]
        nodes = self._ray.nodes()
        return shortage(self._seats(slot), nodes, left_by(others, nodes))

    def place(self, slot: str) -> str:
        """The nodes on which Ray has given the workers of a slot their places, as far as it tells."""
        actor, nowhere = self._actors[slot], frozenset[str]()
        if actor.gang:
            return hosts(self._head.ask(lambda: placed(self._ray, actor.gang), nowhere), self._ray.nodes())
        if self._nodes is None:
            return ""
        return hosts(self._head.ask(lambda: actor.seat(self._seats(slot).bundle), nowhere), self._nodes.known)

    def draining(self) -> Collection[str]:
        """The slots with jobs on nodes that will be taken away."""
        nodes = self._head.ask(self._draining.nodes, frozenset[str]())
        return [slot for slot, actor in self._busy.items() if nodes and actor.node in nodes]

    def make_room(self) -> None:
        """Kill idle actors: slots of two types may share CPUs or GPUs."""
        for slot in self._actors.keys() - self._busy.keys():
            self.kill(slot)

    def inventory(self, slot: str) -> str:
        """What a slot needs, and how much of it the cluster has."""
        if self._nodes:
            return self._nodes.inventory(self._seats(slot))
        free = self._ray._private.state.available_resources_per_node()
        return inventory(self._seats(slot), self._ray.nodes(), free)

    def lacking(self) -> str:
        """What the cluster has in place of slots of the types that are wanted."""
        if self._nodes:
            return self._nodes.lacking()
        return self._lacking

    def close(self) -> None:
        """Kill the actors; an embedded cluster ends with them, one that was joined goes on."""
        for slot in list(self._actors):
            self.kill(slot)
        if self._nodes:
            self._nodes.close()
        self._shut_down()

    def _shut_down(self) -> None:
        if self._embedded:
            self._embedded.shutdown()
        else:
            self._head.leave(self._ray)

    def _renew(self, embedded: Embedded, ended: str) -> list[Report]:
        """Start a cluster anew of which one of Ray's own processes ended; all jobs are lost."""
        slots = list(self._busy)
        self._actors.clear()
        embedded.shutdown()
        embedded.start()
        return [(slot, Lost(f"Ray's {ended} ended, and its cluster was started anew")) for slot in slots]


def _cause(error: Exception) -> str:
    """What Ray says of why an actor died: a sentence, or the traceback of one that raised while it was made."""
    if getattr(error, "actor_init_failed", False):
        return str(error).strip()
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return next((line for line in lines if line.startswith("The actor is dead because")), first_line(error))
