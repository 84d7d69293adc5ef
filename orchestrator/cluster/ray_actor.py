"""The actors of slots on Ray: how they are made, and what they are asked."""

from collections.abc import Mapping
from contextlib import suppress
from math import isclose
from typing import Any

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.process import last_words, stderr_file
from scalectl.orchestrator.cluster.ray_gang import Gang
from scalectl.orchestrator.cluster.ray_processes import with_environment
from scalectl.orchestrator.cluster.ray_slots import Seats, elsewhere
from scalectl.orchestrator.cluster.ray_visit import seen
from scalectl.orchestrator.cluster.worker import Place, Worker, on_node
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.spec import Job

_OPTIONS = {"max_restarts": 0, "concurrency_groups": {"control": 1}}


class Seat(Worker):
    """A Worker that knows which node Ray put it on; raises FileNotFoundError where that node doesn't see `probe`."""

    def __init__(self, place: Place | None = None, probe: tuple[str, str] = ("", "")) -> None:
        seen(probe)
        super().__init__(on_node(place or Place()))

    def node(self) -> str:
        """The id of its node."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def stderr(self) -> str:
        """The file of its process's stderr, on that node."""
        return stderr_file()


class Actor:
    """A long-lived actor with at most one job; `gang` is the name of the workers that it conducts, if it does."""

    def __init__(self, ray: Any, handle: Any, gang: str = "") -> None:
        self._ray, self._handle, self.gang = ray, handle, gang
        self._node = handle.node.options(concurrency_group="control").remote()
        self._stderr = handle.stderr.options(concurrency_group="control").remote()
        self._turn = -1  # of its newest job
        self.stream: Any = None  # of batches, while a job runs
        self.heard = False  # a batch

    def run(self, job: Job, turn: int) -> None:
        """Begin a job; no two have the same `turn`."""
        self._turn = turn
        self.stream = self._handle.run.options(num_returns="streaming").remote(job, turn)

    def stop(self) -> None:
        """Ask the job to leave a checkpoint and end with Stopped."""
        self._handle.stop.options(concurrency_group="control").remote(self._turn)

    def use(self, nodes: frozenset[str]) -> None:
        """Have the workers of a gang placed on no others than these nodes from now on."""
        if self.gang:
            self._handle.use.options(concurrency_group="control").remote(nodes)

    def kill(self) -> None:
        """End the process; Ray takes up to 5 seconds where it doesn't answer."""
        self._ray.kill(self._handle, no_restart=True)

    @property
    def placed(self) -> bool:
        """Whether it has its place; the workers of a gang have theirs once it is heard of."""
        return self.heard or bool(self.node)

    @property
    def node(self) -> str:
        """The id of the node that it is on, or nothing while that can't be told."""
        return self._answer(self._node)

    def seat(self, bundle: Mapping[str, float]) -> frozenset[str]:
        """The node on which Ray has given it what it needs, though it may take long to start; none before.

        Ray names the node of an actor also before there is room on it. A process has been found for it once it has a
        number; before that its demand is pending, or that process is being started.
        """
        with suppress(Exception):  # the head may not answer, and none of this is public
            entry = self._ray._private.state.actors(self._handle._actor_id.hex())
            if entry.get("Pid") or not any(_like(bundle, demand) for demand in _demands(self._ray)):
                return frozenset([entry["Address"]["NodeID"]])
        return frozenset()

    def last_words(self) -> str:
        """The end of its stderr, where it was on this machine."""
        if self.node != self._ray.get_runtime_context().get_node_id():
            return ""
        return last_words(self._answer(self._stderr))

    def _answer(self, reference: Any) -> str:
        """The answer to a question, or nothing before it has come; the stream of a job tells why it never does."""
        ready, _ = self._ray.wait([reference], timeout=0)
        if not ready:
            return ""
        try:
            return str(self._ray.get(reference))
        except self._ray.exceptions.RayError:
            return ""


def _demands(ray: Any) -> list[dict[str, float]]:
    """The resources that tasks and actors of the whole cluster wait for in vain."""
    from ray.autoscaler.v2.sdk import get_cluster_resource_state

    state = get_cluster_resource_state(ray._private.worker.global_worker.gcs_client)
    return [dict(pending.request.resources_bundle) for pending in state.pending_resource_requests]


def _like(bundle: Mapping[str, float], demand: Mapping[str, float]) -> bool:
    """Whether a demand is for as much; Ray keeps four digits of a share of a GPU."""
    return all(isclose(demand.get(name, 0.0), need, abs_tol=1e-3) for name, need in bundle.items())


class Maker:
    """Makes the actors of a launch, by whose name its gangs are known, on nodes that aren't `left_out`."""

    def __init__(self, ray: Any, launcher: str) -> None:
        self._ray, self._launcher = ray, launcher
        self.left_out: frozenset[str] = frozenset()  # ids of nodes
        self.usable: frozenset[str] | None = None  # those that were visited, on which alone gangs are placed
        self.probe = ("", "")  # a file that every worker has to see, with its text

    def actor(self, slot: str, seats: Seats, cores: tuple[int, ...]) -> Actor:
        """The actor of a slot; that of a plain CPU worker is bound to the cores, where some are named."""
        if seats.gang:
            return self._conductor(f"{slot} of {self._launcher}", seats)
        place, environment = Place(cores, CPU), heap.ENVIRONMENT
        options: dict[str, Any] = {"num_cpus": seats.cpus}
        if seats.gpus:
            place, environment = Place(platform=seats.platform, gpus=seats.gpus), {}
            options |= {"num_gpus": seats.gpus}
            if seats.gpus < 1:
                environment["XLA_CLIENT_MEM_FRACTION"] = f"{0.9 * seats.gpus:.2f}"
        # not accelerator_type: it looks for a resource that Ray alone gives, with the label
        options |= {"label_selector": seats.selector | elsewhere(self.left_out)}
        options |= with_environment(self._ray, environment)
        return Actor(self._ray, self._ray.remote(**options, **_OPTIONS)(Seat).remote(place, self.probe))

    def _conductor(self, name: str, seats: Seats) -> Actor:
        """The actor that conducts the workers of a slot with several hosts; it stays on the launcher's own node."""
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self._ray.get_runtime_context().get_node_id(),  # so that a conductor isn't lost with somebody's host
            soft=False,  # a soft wish is forgotten: in Ray 2.60 nine of ten such actors went to other nodes
        )
        made = self._ray.remote(num_cpus=0, scheduling_strategy=affinity, **_OPTIONS)(Gang)
        return Actor(self._ray, made.remote(seats, name, self.usable), name)
