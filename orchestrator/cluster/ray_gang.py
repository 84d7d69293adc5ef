"""The workers of a slot with several hosts: placed together or not at all, and all ended when one is lost."""

import math
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.ray_head import Head
from scalectl.orchestrator.cluster.ray_processes import with_environment
from scalectl.orchestrator.cluster.ray_slots import SLICE_LABEL, Draining, Seats, only, slices
from scalectl.orchestrator.cluster.worker import Place, Worker, on_node, preempted
from scalectl.trainer.events import Done, Event, Failed, Stopped
from scalectl.trainer.multihost import Host
from scalectl.trainer.spec import Job

GRASP_SECONDS = 5.0  # that the hosts of one slice are waited for, before another is tried
SEAT_SECONDS = 60.0  # that their workers may take to answer
COOL_SECONDS = 30.0  # that a slice is left alone after it failed: Ray learns of a dead host late
GRACE_SECONDS = 15.0  # after a host failed, for the others to fail or die too: the first to tell may be a survivor
IDLE_SECONDS = 10.0  # that a slice is held for a next job: another slot may be waiting for it
POLL_SECONDS = 0.5


class Member(Worker):
    """A worker that learns after it was placed which of its gang it is."""

    def whereabouts(self) -> tuple[int | None, str, str]:
        """Its number in the slice, if it is on one, a HOST:PORT of its own that is free, and its node's id."""
        import ray

        address_of_node: Any = ray.util.get_node_ip_address
        address, node = address_of_node(), str(ray.get_runtime_context().get_node_id())
        number = None
        if "TPU_WORKER_ID" in os.environ:
            number = int(os.environ["TPU_WORKER_ID"])
        with socket.socket() as probe:
            probe.bind((address, 0))
            return number, f"{address}:{probe.getsockname()[1]}", node

    def join(self, platform: str, gpus: float, host: Host | None) -> None:
        """Run jobs as this host, on so many of its GPUs."""
        self._place = on_node(Place(platform=platform, gpus=gpus, host=host))


class Gang:
    """The conductor of a slot's workers; it takes jobs as a Worker does, and passes on what host 0 reports.

    It chooses an intact slice that nobody has, and keeps it with its processes for a next job that comes soon. When
    a host fails all of them are killed and the slice is released; the next job is placed anew.
    """

    def __init__(self, seats: Seats, name: str, usable: frozenset[str] | None = None) -> None:
        import ray

        self._ray: Any = ray
        self._seats, self._name, self._usable = seats, name, usable
        self._members: list[Any] = []
        self._nodes: frozenset[str] = frozenset()  # that they are on
        self._draining = Draining(ray)
        self._head = Head(ray.get_runtime_context().gcs_address)
        self._group: Any = None
        self._stopped: set[int] = set()
        self._cool: dict[str, float] = {}  # slice -> until when it is left alone
        self._lock = threading.RLock()
        self._idle = threading.Timer(IDLE_SECONDS, self._release)

    def node(self) -> str:
        """Nothing: it has several nodes."""
        return ""

    def stderr(self) -> str:
        """Nothing: each of its workers has its own."""
        return ""

    def use(self, nodes: frozenset[str]) -> None:
        """Place workers on no others than these nodes from now on."""
        self._usable = nodes

    def stop(self, turn: int) -> None:
        """Ask all hosts to leave a checkpoint and end the job of a turn."""
        with self._lock:
            self._stopped.add(turn)
            for member in self._members:
                member.stop.options(concurrency_group="control").remote(turn)

    def run(self, job: Job, turn: int) -> Iterator[list[Event]]:
        """Yield the batches of host 0, the last one with the end that all hosts came to."""
        with self._lock:  # a release that has begun is waited for
            self._idle.cancel()
        if self._members and self._drained:
            self._release()
        if not self._members:
            self._gather(turn)
        if self._members:
            yield from self._together(job, turn)
        else:
            yield [Stopped(job.start)]  # before there was a place for it
        self._stopped.discard(turn)

    def _gather(self, turn: int) -> None:
        """Place the workers on hosts that are free; returns without them once the turn is stopped."""
        while turn not in self._stopped:
            for name in self._candidates():
                members = self._placed(name)
                if members:
                    with self._lock:
                        self._members = members
                    return
            time.sleep(POLL_SECONDS)

    def _candidates(self) -> list[str]:
        """The intact slices of the right kind that aren't cooling down; hosts of no slice have no name."""
        if not self._seats.chips:
            return [""]
        free = self._ray._private.state.available_resources_per_node()
        avoided, now = self._draining.nodes(), time.monotonic()
        living = [node for node in self._ray.nodes() if node["Alive"]]  # a slice may be back under its name
        if (usable := self._usable) is not None:
            living = [node for node in living if node["NodeID"] in usable]
        nodes = [node for node in living if node["NodeID"] not in avoided]
        busy = {node["Labels"].get(SLICE_LABEL) for node in nodes if not free.get(node["NodeID"], {}).get("TPU")}
        return [
            tpus.name
            for tpus in slices(nodes)
            if tpus.intact
            and tpus.seats == self._seats
            and tpus.name not in busy
            and self._cool.get(tpus.name, 0.0) < now
        ]

    def _placed(self, name: str) -> list[Any]:
        """The workers in the order of the slice's hosts, joined; none where they can't all be placed."""
        from ray.util import placement_group

        seats = self._seats
        options: dict[str, Any] = {"name": self._name}
        if name:
            options |= {"strategy": "STRICT_SPREAD", "bundle_label_selector": [{SLICE_LABEL: name}] * seats.hosts}
        else:
            selector = seats.selector | only(self._usable)
            if seats.gpus:  # each part on a host of its own
                options |= {"strategy": "STRICT_SPREAD"}
            if selector:
                options |= {"bundle_label_selector": [selector] * seats.hosts}
        self._group = placement_group([seats.bundle] * seats.hosts, **options)
        try:
            if self._group.wait(GRASP_SECONDS):
                return self._joined([self._member(n) for n in range(seats.hosts)])
        except self._ray.exceptions.RayError:  # a host that Ray believed alive
            self._cool[name] = time.monotonic() + COOL_SECONDS
        self._release()
        return []

    def _member(self, n: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        options: dict[str, Any] = {
            "num_cpus": self._seats.cpus,
            "max_restarts": 0,
            "concurrency_groups": {"control": 1},
            "scheduling_strategy": PlacementGroupSchedulingStrategy(self._group, n),
        }
        if self._seats.chips:
            options |= {"resources": {"TPU": self._seats.chips}}
        elif self._seats.gpus:  # of which type, the group says: an accelerator_type here would fit no bundle
            options |= {"num_gpus": self._seats.gpus}
        else:
            options |= with_environment(self._ray, heap.ENVIRONMENT)
        return self._ray.remote(**options)(Member).remote()

    def _joined(self, members: Sequence[Any]) -> list[Any]:
        places = self._ray.get([member.whereabouts.remote() for member in members], timeout=SEAT_SECONDS)
        self._nodes = frozenset(node for _, _, node in places)
        order = list(range(len(members)))
        if None not in {number for number, _, _ in places}:
            order.sort(key=lambda n: places[n][0])
        count, coordinator = len(members), places[order[0]][1]
        hosts: list[Host | None] = [None]
        if count > 1:
            hosts = [Host(coordinator, count, index) for index in range(count)]
        ordered = [members[n] for n in order]
        seat = (self._seats.platform, self._seats.gpus)
        joins = [member.join.remote(*seat, host) for member, host in zip(ordered, hosts, strict=True)]
        self._ray.get(joins, timeout=SEAT_SECONDS)
        return ordered

    def _together(self, job: Job, turn: int) -> Iterator[list[Event]]:
        """Yield what host 0 reports of a job that all hosts run, and one end of them all."""
        streams = [member.run.options(num_returns="streaming").remote(job, turn) for member in self._members]
        if turn in self._stopped:  # while they were placed
            self.stop(turn)
        running, ends = dict(enumerate(streams)), dict[int, list[Event]]()
        step, until, leaving = job.start, math.inf, False
        while running and time.monotonic() < until:
            if not leaving and self._drained:
                leaving = True
                self.stop(turn)
            for index in self._ready(running):
                batch = self._next(running[index], index, step)
                if isinstance(batch[-1], Done | Stopped | Failed):
                    ends[index] = batch
                    del running[index]
                    until = min(until, time.monotonic() + _grace(batch[-1]))
                elif index == 0:
                    step = batch[-1].step
                    yield batch
        if leaving or running or any(_died(batch[-1]) for batch in ends.values()):
            self._release()
        self._idle = threading.Timer(IDLE_SECONDS, self._release)
        self._idle.start()
        batch = [*ends.get(0, [])[:-1], verdict([batch[-1] for _, batch in sorted(ends.items())])]
        if leaving:
            batch = taken_away(batch)
        yield batch

    def _ready(self, streams: Mapping[int, Any]) -> list[int]:
        """The hosts with a batch that has come by now, or within POLL_SECONDS."""
        ready, _ = self._ray.wait([*streams.values()], num_returns=1, timeout=POLL_SECONDS, fetch_local=False)
        return [index for index, stream in streams.items() if stream in ready]

    @property
    def _drained(self) -> bool:
        """Whether a host of the workers will be taken away."""
        return not self._nodes.isdisjoint(self._head.ask(self._draining.nodes, frozenset[str]()))

    def _next(self, stream: Any, index: int, step: int) -> list[Event]:
        try:
            batch: list[Event] = self._ray.get(next(stream))
            return batch
        except (StopIteration, self._ray.exceptions.RayError) as error:
            cause = str(error).strip().splitlines() or [type(error).__name__]
            return [Failed("node_lost", step, f"host {index} of {self._seats.hosts} of {self._name} died: {cause[0]}")]

    def _release(self) -> None:
        """Kill the workers and give their hosts back."""
        from ray.util import remove_placement_group

        with self._lock:
            for member in self._members:
                self._ray.kill(member, no_restart=True)
            self._members = []
            remove_placement_group(self._group)


def verdict(ends: Sequence[Event]) -> Event:
    """The end that the ends of a gang's hosts come to: a death before other failures, and a failure before the rest."""
    failed = [end for end in ends if isinstance(end, Failed)]
    if not failed:
        return ends[0]
    return min(failed, key=lambda end: not _died(end))


def taken_away(batch: list[Event]) -> list[Event]:
    """The same batch of a gang of which a host is taken away: that is its cause, also where it left too late."""
    end = batch[-1]
    if isinstance(end, Failed) and _died(end):
        late = f"it was taken away before all its hosts had left a checkpoint: {end.reason}"
        return [*batch[:-1], Failed("preempted", end.step, late)]
    return preempted(batch, "a host of it is being drained")


def _grace(end: Event) -> float:
    """The seconds that the other hosts have for their ends after one of them ended so."""
    if _died(end):
        return 0.0
    if isinstance(end, Failed):
        return GRACE_SECONDS
    return math.inf


def _died(end: Event) -> bool:
    return isinstance(end, Failed) and end.kind == "node_lost"


def placed(ray: Any, name: str) -> frozenset[str]:
    """The ids of the nodes that the gang of this name has by now; none before it has all of its hosts."""
    try:
        group = ray.util.get_placement_group(name)
    except ValueError:
        return frozenset()
    table = ray.util.placement_group_table(group)
    if table.get("state") != "CREATED":
        return frozenset()
    return frozenset(table["bundles_to_node_id"].values())


def released(ray: Any, name: str) -> None:
    """Give back what the gang of this name holds, if it holds anything, once its conductor was killed."""
    try:
        group = ray.util.get_placement_group(name)
    except ValueError:
        return
    ray.util.remove_placement_group(group)
