"""What the nodes of a Ray cluster have for slots: GPUs, TPU slices, CPU workers; and which nodes will be taken away."""

import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from scalectl.orchestrator.slots import AUTO, CPU, Slot

GPU_LABEL = "ray.io/accelerator-type"
SLICE_LABEL, POD_LABEL, TOPOLOGY_LABEL = (f"ray.io/tpu-{what}" for what in ("slice-name", "pod-type", "topology"))
_TPU = re.compile(r"tpu|v\d\w*-\d+")

Node = Mapping[str, Any]  # as ray.nodes() tells it


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
        """Return whether the workers are placed together: those of a slice are, also where it has one host."""
        return self.hosts > 1 or bool(self.chips)

    @property
    def bundle(self) -> dict[str, float]:
        """Return the resources of one worker of a gang, by Ray's names."""
        return {"TPU": self.chips} if self.chips else {"CPU": self.cpus}


@dataclass(frozen=True)
class Slice:
    """A TPU slice as its living nodes tell it."""

    name: str
    pod: str  # its type in Ray's words, such as v5litepod-16
    hosts: int  # that it should have
    alive: int
    chips: float  # of each host

    @property
    def intact(self) -> bool:
        """Return whether all of its hosts are there."""
        return self.alive == self.hosts

    @property
    def seats(self) -> Seats:
        """Return what a slot on this slice is made of."""
        return Seats(self.hosts, chips=self.chips, kind=self.pod, platform="tpu")


def slices(nodes: Iterable[Node]) -> list[Slice]:
    """Return the TPU slices that have a living host, by name."""
    found: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        name = node["Labels"].get(SLICE_LABEL)
        if node["Alive"] and name and node["Resources"].get("TPU"):
            found[name].append(node)
    return [_slice(name, hosts) for name, hosts in sorted(found.items())]


def _slice(name: str, hosts: Sequence[Node]) -> Slice:
    labels, chips = hosts[0]["Labels"], hosts[0]["Resources"]["TPU"]
    whole = math.prod(int(side) for side in labels[TOPOLOGY_LABEL].split("x"))
    return Slice(name, labels[POD_LABEL], max(1, round(whole / chips)), len(hosts), chips)


def slots(types: Mapping[str, float], nodes: Sequence[Node]) -> dict[Slot, Seats]:
    """Return the slots of these types that living nodes have; plain CPU workers are left to the caller."""
    living = [node for node in nodes if node["Alive"]]
    made: dict[Slot, Seats] = {}
    for name, devices in types.items():
        for n, seats in enumerate(_of_type(name, devices, living)):
            made[Slot(f"{name}/{n}", name)] = seats
    return made


def plain(types: Mapping[str, float], found: Mapping[Slot, Seats]) -> bool:
    """Return whether plain CPU workers are asked for: by name, or by jobs that take what is there where that is all."""
    return CPU in types or not types or (AUTO in types and not found)


def lacking(types: Iterable[str], nodes: Sequence[Node]) -> str:
    """Return in a few words what a cluster has in place of slots of these types."""
    has = Counter[str]()
    for node in nodes:
        if node["Alive"]:
            has.update({name: node["Resources"].get(name, 0) for name in ("CPU", "GPU")})
    words = [f"{has[name]:g} {name}s" for name in ("CPU", "GPU") if has[name]]
    words += [f"slice {one.name} ({one.pod}, {one.alive} of {one.hosts} hosts alive)" for one in slices(nodes)]
    return f"no slots of type {', '.join(sorted(types))}: the cluster has {', '.join(words) or 'nothing'}"


def pod(name: str) -> str:
    """Return Ray's word for a type of slice such as v5e-16; any slice is an empty one."""
    return "" if name in ("tpu", AUTO) else re.sub(r"^v5e-", "v5litepod-", name)


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
    return _gpus("" if name.startswith("gpu") else re.sub(r"-\d+$", "", name).upper(), devices, living)


def _tpus(kind: str, living: Sequence[Node]) -> list[Seats]:
    return [one.seats for one in slices(living) if one.intact and kind in ("", one.pod)]


def _gpus(kind: str, devices: float, living: Sequence[Node]) -> list[Seats]:
    """Return slots of whole GPUs of one host each, or of an equal share of one."""
    fitting = [node for node in living if kind in ("", node["Labels"].get(GPU_LABEL))]
    each = [node["Resources"].get("GPU", 0) for node in fitting]
    count = sum(int(here * int(1 / devices)) if devices < 1 else int(here // devices) for here in each)
    return [Seats(gpus=devices, kind=kind, platform="cuda")] * count


DRAIN_SECONDS = 1.0


class Draining:
    """The nodes that will be taken away, asked for at most once in DRAIN_SECONDS."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._asked, self._nodes = -DRAIN_SECONDS, frozenset[str]()

    def nodes(self) -> frozenset[str]:
        """Return their ids; none where this version of Ray has no way to tell, for there is no public one."""
        if time.monotonic() - self._asked >= DRAIN_SECONDS:
            self._asked = time.monotonic()
            with suppress(Exception):
                self._nodes = frozenset(self._ray._private.state.state.get_draining_nodes())
        return self._nodes
