"""A cluster whose TPU and GPU hosts are nodes of Ray on this machine: jobs are placed as on real ones, on its CPUs."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import psutil

from scalectl.orchestrator.cluster.ray_server import first_line, secure, signals_held
from scalectl.orchestrator.cluster.ray_slots import GPU_LABEL, pod
from scalectl.orchestrator.cluster.sessions import Session
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.vocabulary import GPU, parted
from scalectl.trainer.topology import topology

STORE_BYTES = 80 * 2**20  # of each node's object store, which holds no more than batches of events
AWAY_SECONDS = 10.0
LATE_SECONDS = 60.0  # that jobs may need beyond a notice: a laptop saves and starts more slowly than a slice
LOOK_SECONDS = 0.5  # between looks for a first job, and for jobs that have not left


@dataclass(frozen=True, eq=False)
class Host:
    """A node of the fake cluster; `group` is the slice or the machine that is taken away as a whole."""

    group: str
    slot_type: str
    gpus: int = 0
    chips: int = 0
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # that GKE sets


@dataclass(frozen=True)
class Preemption:
    """A slice or machine of a type that is taken away, `after` so many seconds, and comes back `away` seconds later."""

    slot_type: str
    after: float
    notice: float = 0.0  # seconds that are left once it was said; none where nothing is said
    away: float = AWAY_SECONDS


def slice_hosts(slot_type: str, count: int) -> Iterator[Host]:
    """Yield the hosts of so many slices of a type such as v5e-16; raises topology.Unknown for a type without slices.

    Eight chips of v5e and v6e may be on one host, else four are: https://cloud.google.com/tpu/docs/system-architecture
    """
    whole = topology(slot_type)
    chips = 4
    if whole.generation.single and whole.chips <= 8:
        chips = whole.chips
    devices = f"--xla_force_host_platform_device_count={chips * whole.generation.devices}"
    for number in range(count):
        for host in range(whole.chips // chips):
            variables = {
                "TPU_NAME": f"{slot_type}-slice-{number}",
                "TPU_WORKER_ID": str(host),
                "TPU_TOPOLOGY": whole.sides,
                "TPU_ACCELERATOR_TYPE": pod(slot_type),
                "XLA_FLAGS": devices,
            }
            yield Host(variables["TPU_NAME"], slot_type, chips=chips, variables=variables)


def gpu_hosts(slot_type: str, count: int) -> Iterator[Host]:
    """Yield so many hosts with the GPUs of a type such as h100-8."""
    kind, gpus = parted(slot_type)
    labels = {GPU_LABEL: kind.upper()}
    if kind == GPU:
        labels = {}
    for number in range(count):
        yield Host(f"{slot_type}-host-{number}", slot_type, gpus=int(gpus), labels=labels)


class FakeCluster:
    """A head with CPU workers, and fake hosts, some of which are taken away: counted from the first job on any of them.

    `say` gets a line for each thing that happens to a host. Raises Refusal where this machine is too busy to start one.
    """

    def __init__(
        self, cpus: int, hosts: Sequence[Host], preemptions: Sequence[Preemption], say: Callable[[str], None]
    ) -> None:
        secure(None)
        import ray
        import ray.core.generated.autoscaler_pb2
        from ray.cluster_utils import Cluster

        self._ray: Any = ray
        self._say = say
        self._preemptions = sorted(preemptions, key=lambda preemption: preemption.after)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._preempt, daemon=True)
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._nodes: dict[Host, Any] = {}
        self._session = Session()  # a folder that the next launch clears, whatever becomes of this one
        try:
            with signals_held():
                self._cluster: Any = self._head(Cluster, cpus)
                self._nodes |= {host: self._started(host) for host in hosts}
        except BaseException as error:
            if hasattr(self, "_cluster"):
                self._cluster.shutdown()
            self._session.remove()
            if isinstance(error, TimeoutError):  # of 30 seconds, which Ray lets nobody change
                remedy = "This machine may be too busy: try again, or with fewer hosts."
                raise Refusal(f"refused: a host of the fake cluster did not start: {error} {remedy}") from error
            raise

    @property
    def address(self) -> str:
        """The HOST:PORT of its head."""
        return str(self._cluster.address)

    def begin(self) -> None:
        """Take hosts away from now on, as the preemptions say."""
        if self._preemptions:
            self._thread.start()

    def close(self) -> None:
        """End all nodes."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._cluster.shutdown()
        self._session.remove()

    def _head(self, make: Callable[..., Any], cpus: int) -> Any:
        """The cluster with its head alone."""
        folder = self._session.folder
        (folder / "ray").mkdir(parents=True)  # for the address, which Ray would else leave to whoever says `auto`
        options = {"num_cpus": cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        with _variables({"RAY_TMPDIR": str(folder)}):
            cluster = make(
                initialize_head=True, shutdown_at_exit=False, head_node_args=options | {"temp_dir": str(folder)}
            )
        self._session.close_to_others()
        return cluster

    def _started(self, host: Host) -> Any:
        """The node of a host: Ray derives labels and resources from the variables that GKE sets, as it does there."""
        resources = {}
        if host.chips:
            resources = {"TPU": host.chips}
        variables = {**host.variables, "JAX_PLATFORMS": "cpu"}
        with _variables(variables):
            return self._cluster.add_node(
                num_cpus=0,
                num_gpus=host.gpus,
                resources=resources,
                labels=dict(host.labels),
                object_store_memory=STORE_BYTES,
                env_vars=variables,
            )

    def _preempt(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})  # for new nodes
        while not any(map(self._in_use, self._nodes)):
            if self._ended.wait(LOOK_SECONDS):
                return
        began = time.monotonic()
        for preemption in self._preemptions:
            if self._ended.wait(max(0.0, began + preemption.after - time.monotonic())):
                return
            group = self._busiest(preemption.slot_type)
            hosts = [host for host in self._nodes if host.group == group]
            if preemption.notice:
                self._say(f"fake cluster: {group} is taken away in {preemption.notice:g} s")
                end = time.time() + preemption.notice
                for host in hosts:
                    self._drain(host, end + LATE_SECONDS)  # at which Ray itself ends a node
                self._ended.wait(end - time.time())
                self._wait_for_jobs(hosts, end + LATE_SECONDS)
            self._say(f"fake cluster: {group} is gone for {preemption.away:g} s")
            for host in hosts:
                self._lose(self._nodes.pop(host))
            if self._ended.wait(preemption.away):
                return
            for host in hosts:
                self._return(host)
            self._say(f"fake cluster: {group} is back")

    def _wait_for_jobs(self, hosts: Sequence[Host], end: float) -> None:
        """Leave to jobs on some hosts the time that they need for their checkpoints on this machine, up to an end."""
        said = False
        while any(map(self._in_use, hosts)) and time.time() < end and not self._ended.wait(LOOK_SECONDS):
            if not said:
                said = True
                self._say(f"fake cluster: {hosts[0].group} stays until its jobs have left: this machine is slow")

    def _return(self, host: Host) -> None:
        """Start a host anew: on a busy machine Ray may give up after 30 seconds, and then it is tried again."""
        while not self._ended.is_set() and host not in self._nodes:
            try:
                self._nodes[host] = self._started(host)
            except Exception as error:
                self._say(f"fake cluster: a host of {host.group} is not back yet: {first_line(error)}")
                for late in self._cluster.worker_nodes - set(self._nodes.values()):  # else it would be there twice
                    self._lose(late)

    def _busiest(self, slot_type: str) -> str:
        """A slice or machine of a type with a job on it, or the first where none has one."""
        hosts = [host for host in self._nodes if host.slot_type == slot_type]
        return (list(filter(self._in_use, hosts)) or hosts)[0].group

    def _in_use(self, host: Host) -> bool:
        """Whether a job was given some of the devices of a host."""
        free: dict[str, Any] = {}
        with suppress(Exception):  # before the launch has joined, or where Ray can't tell
            free = self._ray._private.state.available_resources_per_node()
        node = free.get(self._nodes[host].node_id)
        return node is not None and node.get("GPU", 0) + node.get("TPU", 0) < host.gpus + host.chips

    def _lose(self, node: Any) -> None:
        """End all processes of a node at once, as on a machine that is switched off."""
        for raylet in node.all_processes["raylet"]:
            with suppress(psutil.Error):  # Ray itself ends a node whose time is over
                for process in psutil.Process(raylet.process.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        process.kill()
        self._cluster.remove_node(node, allow_graceful=False)

    def _drain(self, host: Host, end: float) -> None:
        """Have the cluster told when a host will be taken away, as a provider's notice is passed on."""
        reason = self._ray.core.generated.autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        try:
            client = self._ray._raylet.GcsClient(address=self.address)
            client.drain_node(self._nodes[host].node_id, reason, "pre-emption on a fake cluster", int(1000 * end))
        except Exception as error:  # the head of a busy machine may not answer
            self._say(f"fake cluster: a host of {host.group} got no notice: {first_line(error)}")


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for as long as a node starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
