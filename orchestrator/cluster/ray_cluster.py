"""Jobs on Ray: an actor a slot, watched from here."""

import itertools
import os
import secrets
from collections.abc import Mapping
from typing import Any

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.base import Batch, told
from scalectl.orchestrator.cluster.process import BINDS, last_words, stderr_file, usable
from scalectl.orchestrator.cluster.ray_gang import Gang, released
from scalectl.orchestrator.cluster.ray_server import Embedded, Unreachable, knock, secure, signals_held
from scalectl.orchestrator.cluster.ray_slots import Draining, Seats, lacking, plain
from scalectl.orchestrator.cluster.ray_slots import slots as slots_of
from scalectl.orchestrator.cluster.watchdog import Patience, Watch
from scalectl.orchestrator.cluster.worker import Place, Worker, preempted
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.slots import CPU
from scalectl.trainer.events import Alive, Done, Event, Failed, FailureKind, Stopped
from scalectl.trainer.spec import Job

ROOM_SECONDS = 10.0  # that a slot may be waited for before idle actors end: longer than an actor takes to be there


class OnRay:
    """Long-lived Ray actors, one a slot, in an embedded cluster on 127.0.0.1 or in one that runs at `address`.

    `wanted` tells the types of slots that jobs ask for, with the devices of each; `slots` is the number of CPU workers.
    A worker that tells nothing for longer than `patience` allows is killed. Raises Unreachable when no cluster answers,
    and Refusal when it has no slot of these types.
    """

    def __init__(
        self,
        slots: int | None = None,
        address: str | None = None,
        *,
        patience: Patience | None = None,
        wanted: Mapping[str, float] | None = None,
    ) -> None:
        if address is not None:
            knock(address)
        secure(address)
        import ray

        self._ray: Any = ray
        self._embedded: Embedded | None = None
        cores = usable()
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        options |= {"namespace": "scalectl"}
        if address is None:
            most = max(slots or len(cores), _most_workers(wanted or {}))
            options |= {"num_cpus": most, "include_dashboard": False, "object_store_memory": 100 * 2**20}
            self._embedded = Embedded(ray, options)
        else:
            try:
                with signals_held():
                    ray.init(address=address, **options)
            except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                raise Unreachable(f"the Ray cluster at {address} can't be joined: {_first_line(error)}") from error
        self._seats: dict[str, Seats] = {}
        self._cores: dict[str, tuple[int, ...]] = {}
        self.types: Mapping[str, str] = {}
        self._survey(slots, cores, wanted or {})
        self.slots: tuple[str, ...] = (*self._cores, *self._seats)
        self._gangs = f"{os.getpid()}-{secrets.token_hex(4)}"  # what those of this launcher are called
        self._actors: dict[str, Any] = {}
        self._nodes: dict[str, Any] = {}  # slot -> the id of its worker's node, or where Ray will put that
        self._stderr: dict[str, Any] = {}  # slot -> the file of its worker's stderr, once that is told
        self._streams: dict[str, Any] = {}
        self._turns: dict[str, int] = {}
        self._count = itertools.count()
        self._watch = Watch(patience or Patience())
        self._draining = Draining(ray)
        self._leaving: set[str] = set()  # slots whose jobs were asked to leave a node that is taken away

    def _survey(self, slots: int | None, cores: list[int], wanted: Mapping[str, float]) -> None:
        """Note the slots that the cluster has of the types that are wanted."""
        nodes = self._ray.nodes()
        found = slots_of(wanted, nodes)
        if plain(wanted, found):
            count = slots or int(self._ray.cluster_resources().get("CPU", 1))
            pinned = BINDS and self._embedded and count <= len(cores)
            self._cores = {f"cpu-{n}": tuple(cores[n::count]) if pinned else () for n in range(count)}
        self._seats = {slot.name: seats for slot, seats in found.items()}
        self.types = {slot.name: slot.type for slot in found}
        if not (self._cores or self._seats):
            self._shut_down()
            raise Refusal(f"refused: {lacking(wanted, nodes)}.")

    def _actor(self, slot: str) -> Any:
        """Return a new actor for a slot: its worker, or the conductor of its workers."""
        options: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "concurrency_groups": {"control": 1}}
        seats = self._seats.get(slot)
        if seats is None:
            options |= {"num_cpus": 1, "runtime_env": {"env_vars": heap.ENVIRONMENT}}
            return self._ray.remote(**options)(Seat).remote(Place(self._cores[slot]))
        if seats.gang:
            options["scheduling_strategy"] = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(),  # so that a conductor isn't lost with somebody's host
                soft=False,  # a soft wish is forgotten: in Ray 2.60 nine of ten such actors went to other nodes
            )
            return self._ray.remote(**options)(Gang).remote(seats, self._gang(slot))
        share = {"XLA_CLIENT_MEM_FRACTION": f"{0.9 * seats.gpus:.2f}"} if seats.gpus < 1 else {}
        options |= {"num_gpus": seats.gpus, "runtime_env": {"env_vars": share}}
        options |= {"accelerator_type": seats.kind} if seats.kind else {}
        return self._ray.remote(**options)(Seat).remote(Place(platform=seats.platform))

    def _gang(self, slot: str) -> str:
        return f"{slot} of {self._gangs}"

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on the slot's actor, which is made first when there is none or it died."""
        if slot not in self._actors:
            self._actors[slot] = self._actor(slot)
            self._nodes[slot] = self._actors[slot].node.options(concurrency_group="control").remote()
            self._stderr[slot] = self._actors[slot].stderr.options(concurrency_group="control").remote()
        self._turns[slot] = next(self._count)
        self._watch.begin(slot, job)
        self._streams[slot] = self._actors[slot].run.options(num_returns="streaming").remote(job, self._turns[slot])

    def events(self, timeout: float) -> list[Batch]:
        """Return the batches that have come, at most one a slot; a job whose worker is gone ends with Failed."""
        if not self._streams:
            return []
        streams = list(self._streams.values())
        ready, _ = self._ray.wait(streams, num_returns=1, timeout=timeout, fetch_local=False)
        if ready:  # one was worth waking for; take what else is there
            ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        if self._embedded and (ended := self._embedded.ended()):
            return self._renew(self._embedded, ended)
        told = []
        for slot in [slot for slot, one in self._streams.items() if one in ready]:
            if batch := self._take(slot):
                told.append((slot, batch))
        self._acquire()
        self._leave()
        self._make_room()
        return told + [(slot, [self._overdue(slot, silent)]) for slot, silent in self._watch.overdue().items()]

    def _take(self, slot: str) -> list[Event]:
        try:
            batch: list[Event] = self._ray.get(next(self._streams[slot]))
        except StopIteration:
            del self._streams[slot]
            return []
        except self._ray.exceptions.RayError as error:
            return [self._lost(slot, error)]
        if not isinstance(batch[-1], Done | Stopped | Failed):
            self._watch.hear(slot, batch[-1].step, trains=any(isinstance(event, Alive) for event in batch))
            return told(batch)
        return self._ended(slot, batch)

    def _ended(self, slot: str, batch: list[Event]) -> list[Event]:
        self._watch.end(slot)
        del self._streams[slot]
        if slot in self._leaving:
            batch = preempted(batch, "its node is being drained")
        if slot in self._leaving or (isinstance(batch[-1], Failed) and batch[-1].kind == "preempted"):
            self._drop(slot)
        return told(batch)

    def _lost(self, slot: str, error: Exception) -> Failed:
        """Return what the end of a worker means; which exception it comes as says little, so the node is asked."""
        step, node = self._watch.step(slot), self._node(slot)
        kind: FailureKind = "node_lost"
        if isinstance(error, self._ray.exceptions.OutOfMemoryError) or "running low on memory" in str(error):
            kind = "out_of_memory"
        elif slot in self._leaving or getattr(error, "preempted", False):
            kind = "preempted"
        alive = node in {one["NodeID"] for one in self._ray.nodes() if one["Alive"]}
        what = "worker" if alive or not node else "node"
        words = self._last_words(slot)
        self._watch.end(slot)
        self._drop(slot)
        return Failed(kind, step, f"{words}\nthe {what} of slot {slot} died: {_cause(error)}".strip())

    def _last_words(self, slot: str) -> str:
        """Return what the worker of a slot wrote last, where it was one of this machine."""
        here = self._node(slot) == self._ray.get_runtime_context().get_node_id()
        return last_words(self._told(self._stderr[slot])) if here else ""

    def _told(self, word: Any) -> str:
        """Return what an actor answered, or nothing before it has; its stream tells why it never does."""
        there, _ = self._ray.wait([word], timeout=0)
        try:
            return str(self._ray.get(there[0])) if there else ""
        except self._ray.exceptions.RayError:
            return ""

    def _overdue(self, slot: str, silent: float) -> Failed:
        step, acquired = self._watch.step(slot), self._watch.acquired(slot)
        self._watch.end(slot)
        self._drop(slot)
        if acquired:
            return Failed("stalled", step, f"slot {slot} told nothing for {silent:,.0f} s; its worker was killed")
        return Failed("no_capacity", step, f"no worker for slot {slot} in {silent:,.0f} s: {self._inventory()}")

    def _inventory(self) -> str:
        """Return in a few words what the cluster has and what of it is free."""
        there, free = self._ray.cluster_resources(), self._ray.available_resources()
        return f"it needs 1 CPU, and of {there.get('CPU', 0):g} in the cluster {free.get('CPU', 0):g} are free"

    def _acquire(self) -> None:
        """Note which actors are there by now."""
        for slot in self._streams:
            if not self._watch.acquired(slot) and self._node(slot):
                self._watch.acquire(slot)

    def _node(self, slot: str) -> str:
        """Return the id of the node that a slot's actor is on, or nothing while that can't be told."""
        if not isinstance(self._nodes[slot], str):
            self._nodes[slot] = self._told(self._nodes[slot]) or self._nodes[slot]
        return self._nodes[slot] if isinstance(self._nodes[slot], str) else ""

    def _leave(self) -> None:
        """Ask the jobs on nodes that will be taken away to leave a checkpoint and end."""
        if not (nodes := self._draining.nodes()):
            return
        for slot in self._streams.keys() - self._leaving:
            if self._node(slot) in nodes:
                self._leaving.add(slot)
                self.stop(slot)

    def _make_room(self) -> None:
        """End idle actors while a slot is waited for in vain: slots of two types may share CPUs or GPUs."""
        if self._watch.waits(ROOM_SECONDS):
            for slot in self._actors.keys() - self._streams.keys():
                self._drop(slot)

    def _drop(self, slot: str) -> None:
        """Kill the actor of a slot; Ray takes up to 5 seconds where its process doesn't answer."""
        self._streams.pop(slot, None)
        self._nodes.pop(slot)
        self._stderr.pop(slot, None)
        self._leaving.discard(slot)
        self._ray.kill(self._actors.pop(slot), no_restart=True)
        if slot in self._seats and self._seats[slot].gang:
            released(self._ray, self._gang(slot))

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        self._actors[slot].stop.options(concurrency_group="control").remote(self._turns[slot])

    def close(self) -> None:
        """Kill the actors; an embedded cluster ends with them, one that was joined goes on."""
        for slot in list(self._actors):
            self._drop(slot)
        self._shut_down()

    def _shut_down(self) -> None:
        (self._embedded or self._ray).shutdown()

    def _renew(self, embedded: Embedded, ended: str) -> list[Batch]:
        """Start a cluster anew of which one of Ray's own processes ended; return the ends of all jobs."""
        reason = f"Ray's {ended} ended, and its cluster was started anew"
        lost: list[Batch] = [(slot, [Failed("node_lost", self._watch.step(slot), reason)]) for slot in self._streams]
        for slot, _ in lost:
            self._watch.end(slot)
        for of_slots in (self._streams, self._actors, self._nodes, self._stderr, self._leaving):
            of_slots.clear()
        embedded.shutdown()
        embedded.start()
        return lost


def _most_workers(wanted: Mapping[str, float]) -> int:
    """Return the CPU workers of the largest gang of them that is wanted."""
    return max((int(devices) for name, devices in wanted.items() if name.startswith(f"{CPU}-")), default=1)


class Seat(Worker):
    """A Worker that knows which node Ray put it on."""

    def node(self) -> str:
        """Return the id of its node."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def stderr(self) -> str:
        """Return the file of its process's stderr, on that node."""
        return stderr_file()


def _cause(error: Exception) -> str:
    """Return the sentence of Ray's message that says why an actor died."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return next((line for line in lines if line.startswith("The actor is dead because")), _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
