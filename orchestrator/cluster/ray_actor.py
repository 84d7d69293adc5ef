"""The actors of slots on Ray: how they are made, and what they are asked."""

from typing import Any

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.process import last_words, stderr_file
from scalectl.orchestrator.cluster.ray_gang import Gang, released
from scalectl.orchestrator.cluster.ray_slots import Seats
from scalectl.orchestrator.cluster.worker import Place, Worker
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.spec import Job

_OPTIONS = {"max_restarts": 0, "concurrency_groups": {"control": 1}}


class Seat(Worker):
    """A Worker that knows which node Ray put it on."""

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
        self._ray, self._handle, self._gang = ray, handle, gang
        self._node = handle.node.options(concurrency_group="control").remote()
        self._stderr = handle.stderr.options(concurrency_group="control").remote()
        self._turn = -1  # of its newest job
        self.stream: Any = None  # of batches, while a job runs

    def run(self, job: Job, turn: int) -> None:
        """Begin a job; no two have the same `turn`."""
        self._turn = turn
        self.stream = self._handle.run.options(num_returns="streaming").remote(job, turn)

    def stop(self) -> None:
        """Ask the job to leave a checkpoint and end with Stopped."""
        self._handle.stop.options(concurrency_group="control").remote(self._turn)

    def kill(self) -> None:
        """End the process; Ray takes up to 5 seconds where it doesn't answer."""
        self._ray.kill(self._handle, no_restart=True)
        if self._gang:
            released(self._ray, self._gang)

    @property
    def node(self) -> str:
        """The id of the node that it is on, or nothing while that can't be told."""
        return self._answer(self._node)

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


def cpu_worker(ray: Any, cores: tuple[int, ...]) -> Actor:
    """The actor of a CPU worker on these cores, or on all where none is named."""
    options = {"num_cpus": 1, "runtime_env": {"env_vars": heap.ENVIRONMENT}, **_OPTIONS}
    return Actor(ray, ray.remote(**options)(Seat).remote(Place(cores, CPU)))


def gpu_worker(ray: Any, seats: Seats) -> Actor:
    """The actor of whole GPUs of one host, or of a share of one."""
    environment = {}
    if seats.gpus < 1:
        environment["XLA_CLIENT_MEM_FRACTION"] = f"{0.9 * seats.gpus:.2f}"
    options = {"num_cpus": 0, "num_gpus": seats.gpus, "runtime_env": {"env_vars": environment}, **_OPTIONS}
    if seats.kind:
        options["accelerator_type"] = seats.kind
    return Actor(ray, ray.remote(**options)(Seat).remote(Place(platform=seats.platform)))


def conductor(ray: Any, seats: Seats, name: str) -> Actor:
    """The actor that conducts the workers of a slot with several hosts; it stays on the launcher's own node."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(),  # so that a conductor isn't lost with somebody's host
        soft=False,  # a soft wish is forgotten: in Ray 2.60 nine of ten such actors went to other nodes
    )
    options = {"num_cpus": 0, "scheduling_strategy": affinity, **_OPTIONS}
    return Actor(ray, ray.remote(**options)(Gang).remote(seats, name), name)
