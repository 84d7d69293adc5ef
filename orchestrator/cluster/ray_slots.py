"""What the nodes of a Ray cluster have for slots: GPUs, TPU slices, CPU workers; and which nodes will be taken away."""

import math
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from scalectl.orchestrator.format import counted
from scalectl.orchestrator.vocabulary import AUTO, CPU, GPU, TPU, Slot, parted

NODE_LABEL, GPU_LABEL = "ray.io/node-id", "ray.io/accelerator-type"
SLICE_LABEL, POD_LABEL, TOPOLOGY_LABEL = (f"ray.io/tpu-{key}" for key in ("slice-name", "pod-type", "topology"))
_SLICE = re.compile(r"(v\d{1,2}[a-z]*|tpu\d\w*)-\d+")

Node = Mapping[str, Any]  # as ray.nodes() has it


@dataclass(frozen=True)
class Seats:
    """What a slot is made of: `hosts` workers, each with these CPUs, GPUs or chips; a slot of several is a gang."""

    hosts: int = 1
    cpus: float = 0.0
    gpus: float = 0.0
    chips: float = 0.0
    kind: str = ""  # of GPU or of TPU slice, as Ray's labels have it; any where empty
    platform: str = "cpu"

    @property
    def selector(self) -> dict[str, str]:
        """The labels of nodes that such GPUs are on, which a node has from Ray or from whoever started it."""
        if self.gpus and self.kind:
            return {GPU_LABEL: self.kind}
        return {}

    @property
    def gang(self) -> bool:
        """Whether the workers are placed together: those of a slice are, also where it has one host."""
        return self.hosts > 1 or bool(self.chips)

    @property
    def bundle(self) -> dict[str, float]:
        """The resources of one worker of a gang, by Ray's names."""
        if self.chips:
            return {"TPU": self.chips}
        if self.gpus:
            return {"GPU": self.gpus}
        return {"CPU": self.cpus}


@dataclass(frozen=True)
class Slice:
    """A TPU slice as its living nodes describe it."""

    name: str
    pod: str  # its type in Ray's words, such as v5litepod-16
    hosts: int  # that it should have
    alive: int
    chips: float  # of each host

    @property
    def intact(self) -> bool:
        """Whether all of its hosts are alive."""
        return self.alive == self.hosts

    @property
    def seats(self) -> Seats:
        """The workers of a slot on this slice."""
        return Seats(self.hosts, chips=self.chips, kind=self.pod, platform="tpu")


def slices(nodes: Iterable[Node]) -> list[Slice]:
    """The TPU slices that have a living host, by name."""
    hosts: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        name = node["Labels"].get(SLICE_LABEL)
        if node["Alive"] and name and node["Resources"].get("TPU"):
            hosts[name].append(node)
    return [_slice(name, nodes) for name, nodes in sorted(hosts.items())]


def _slice(name: str, hosts: Sequence[Node]) -> Slice:
    labels, chips = hosts[0]["Labels"], hosts[0]["Resources"]["TPU"]
    whole = math.prod(int(side) for side in labels[TOPOLOGY_LABEL].split("x"))
    return Slice(name, labels[POD_LABEL], max(1, round(whole / chips)), len(hosts), chips)


def slots(types: Mapping[str, float], nodes: Sequence[Node]) -> dict[Slot, Seats]:
    """The slots of these types that living nodes have; plain CPU workers are left to the caller."""
    living = [node for node in nodes if node["Alive"]]
    special: dict[Slot, Seats] = {}
    for name, devices in types.items():
        for n, seats in enumerate(_of_type(name, devices, living)):
            special[Slot(f"{name}/{n}", name)] = seats
    return special


def plain(types: Mapping[str, float], special: Mapping[Slot, Seats]) -> bool:
    """Whether plain CPU workers are wanted: by name, or by jobs that take any slot where there are no special ones."""
    return CPU in types or not types or (AUTO in types and not special)


def lacking(types: Iterable[str], nodes: Sequence[Node]) -> str:
    """What a cluster has in place of slots of these types, in a few words."""
    living = [node for node in nodes if node["Alive"]]
    words = []
    if cpus := sum(node["Resources"].get("CPU", 0) for node in living):
        words.append(_several(cpus, "CPU"))
    for label, hosts in _gpu_hosts(living).items():
        kind = f"of type {label.lower()}"
        if not label:
            kind = "of no type, which the type gpu takes,"
        words.append(f"{_several(sum(hosts), 'GPU')} {kind} on {counted(len(hosts), 'host')}")
    words += [
        f"slice {tpus.name} ({tpus.pod}, {tpus.alive} of {counted(tpus.hosts, 'host')} alive)" for tpus in slices(nodes)
    ]
    return f"no slots of type {', '.join(sorted(types))}: the cluster has {', '.join(words) or 'nothing'}"


def _several(number: float, noun: str) -> str:
    """A number of devices, of which Ray may count parts."""
    return counted(int(number) if number.is_integer() else number, noun)


def elsewhere(nodes: Collection[str]) -> dict[str, str]:
    """The labels of nodes that are none of these."""
    if not nodes:
        return {}
    return {NODE_LABEL: f"!in({','.join(sorted(nodes))})"}


def only(nodes: Collection[str] | None) -> dict[str, str]:
    """The labels of nodes that are some of these; of any, where none are named."""
    if nodes is None:
        return {}
    return {NODE_LABEL: f"in({','.join(sorted(nodes))})"}


def pod(name: str) -> str:
    """Ray's word for a type of slice such as v5e-16; empty for any slice."""
    if name in (TPU, AUTO):
        return ""
    return re.sub(r"^v5e-", "v5litepod-", re.sub(r"^tpu(?=\d+x-)", "v", name))


def _of_type(name: str, devices: float, living: Sequence[Node]) -> list[Seats]:
    if name == CPU:
        return []
    if name == AUTO:
        return _gpus("", 1.0, living) + _tpus("", living)
    if name.startswith(f"{CPU}-"):
        workers = int(devices)
        return [Seats(workers, cpus=1.0)] * int(sum(node["Resources"].get("CPU", 0) for node in living) // workers)
    if name == TPU or _SLICE.fullmatch(name):
        return _tpus(pod(name), living)
    kind, _ = parted(name)
    if kind == GPU:
        return _gpus("", devices, living)
    if name.lower() in map(str.lower, _gpu_hosts(living)):  # a label may end in a number, which counts nothing
        kind = name
    return _gpus(kind, devices, living)


def _tpus(kind: str, living: Sequence[Node]) -> list[Seats]:
    return [tpus.seats for tpus in slices(living) if tpus.intact and kind in ("", tpus.pod)]


def _gpu_hosts(living: Sequence[Node]) -> dict[str, list[float]]:
    """The GPUs of each host that has some, by the label that says their type; empty for hosts without it."""
    hosts: dict[str, list[float]] = {}
    for node in living:
        if gpus := node["Resources"].get("GPU", 0):
            hosts.setdefault(node["Labels"].get(GPU_LABEL, ""), []).append(gpus)
    return hosts


def _gpus(kind: str, devices: float, living: Sequence[Node]) -> list[Seats]:
    """Slots of whole GPUs of one host each, of an equal share of one, or of equal parts of several hosts."""
    seats = []
    for label, hosts in _gpu_hosts(living).items():
        if not kind or label.lower() == kind.lower():
            one_host = Seats(gpus=devices, platform="cuda")
            if kind:
                one_host = replace(one_host, kind=label)
            seats += [one_host] * sum(_fits(gpus, devices) for gpus in hosts) or _gpu_gangs(label, devices, hosts)
    return seats


def _fits(gpus: float, devices: float) -> int:
    """How many slots of so many devices a host has room for."""
    if devices < 1:
        return int(gpus * int(1 / devices))
    return int(gpus // devices)


def _gpu_gangs(kind: str, devices: float, gpus: Sequence[float]) -> list[Seats]:
    """Slots of equal parts of the fewest hosts that can have them; all hosts of a slot are of one type."""
    for hosts in range(2, len(gpus) + 1):
        part, remainder = divmod(devices, hosts)
        parts = [_fits(number, part) for number in gpus if part >= 1 and not remainder]
        gangs = sum(parts) // hosts
        while gangs and sum(min(number, gangs) for number in parts) < gangs * hosts:  # no host twice in a gang
            gangs -= 1
        if gangs:
            return [Seats(hosts, gpus=part, kind=kind, platform="cuda")] * gangs
    return []


DRAIN_SECONDS = 1.0


class Draining:
    """The nodes that will be taken away, looked up at most once in DRAIN_SECONDS."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._looked, self._nodes = -DRAIN_SECONDS, frozenset[str]()

    def nodes(self) -> frozenset[str]:
        """Their ids; none where this version of Ray has no way to tell, for there is no public one."""
        if time.monotonic() - self._looked >= DRAIN_SECONDS:
            self._looked = time.monotonic()
            with suppress(Exception):
                self._nodes = frozenset(self._ray._private.state.state.get_draining_nodes())
        return self._nodes
