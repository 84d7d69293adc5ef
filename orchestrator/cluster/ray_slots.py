"""What the nodes of a Ray cluster have for slots: GPUs, TPU slices, CPU workers; and which nodes will be taken away."""

import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from scalectl.orchestrator.vocabulary import AUTO, CPU, Slot

NODE_LABEL, GPU_LABEL = "ray.io/node-id", "ray.io/accelerator-type"
SLICE_LABEL, POD_LABEL, TOPOLOGY_LABEL = (f"ray.io/tpu-{key}" for key in ("slice-name", "pod-type", "topology"))
_TPU = re.compile(r"tpu|v\d\w*-\d+")

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
    has = Counter[str]()
    for node in nodes:
        if node["Alive"]:
            has.update({name: node["Resources"].get(name, 0) for name in ("CPU", "GPU")})
    words = [f"{has[name]:g} {name}s" for name in ("CPU", "GPU") if has[name]]
    words += [f"slice {tpus.name} ({tpus.pod}, {tpus.alive} of {tpus.hosts} hosts alive)" for tpus in slices(nodes)]
    return f"no slots of type {', '.join(sorted(types))}: the cluster has {', '.join(words) or 'nothing'}"


def elsewhere(nodes: Collection[str]) -> dict[str, str]:
    """The labels of nodes that are none of these."""
    if not nodes:
        return {}
    return {NODE_LABEL: f"!in({','.join(sorted(nodes))})"}


def pod(name: str) -> str:
    """Ray's word for a type of slice such as v5e-16; empty for any slice."""
    if name in ("tpu", AUTO):
        return ""
    return re.sub(r"^v5e-", "v5litepod-", name)


def _of_type(name: str, devices: float, living: Sequence[Node]) -> list[Seats]:
    if name == CPU:
        return []
    if name == AUTO:
        return _gpus("", 1.0, living) + _tpus("", living)
    if name.startswith("cpu-"):
        workers = int(devices)
        return [Seats(workers, cpus=1.0)] * int(sum(node["Resources"].get("CPU", 0) for node in living) // workers)
    if _TPU.fullmatch(name):
        return _tpus(pod(name), living)
    if name.startswith("gpu"):
        return _gpus("", devices, living)
    return _gpus(re.sub(r"-\d+$", "", name).upper(), devices, living)


def _tpus(kind: str, living: Sequence[Node]) -> list[Seats]:
    return [tpus.seats for tpus in slices(living) if tpus.intact and kind in ("", tpus.pod)]


def _gpus(kind: str, devices: float, living: Sequence[Node]) -> list[Seats]:
    """Slots of whole GPUs of one host each, or of an equal share of one."""
    fitting = [node for node in living if kind in ("", node["Labels"].get(GPU_LABEL))]
    gpus = [node["Resources"].get("GPU", 0) for node in fitting]
    if devices < 1:
        count = sum(int(number * int(1 / devices)) for number in gpus)
    else:
        count = sum(int(number // devices) for number in gpus)
    return [Seats(gpus=devices, kind=kind, platform="cuda")] * count


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
