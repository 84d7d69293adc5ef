"""The slots that a cluster has after its nodes have changed, by name: whoever works keeps its slot."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from scalectl.orchestrator.cluster.ray_slots import GPU_LABEL, POD_LABEL, SLICE_LABEL, Node, Seats
from scalectl.orchestrator.vocabulary import CPU, Slot

WORKER = Seats(cpus=1.0)  # what a plain CPU worker needs
_ROUNDING = 1e-3  # of a place: Ray keeps four digits of a share of a GPU


def workers(number: int) -> dict[Slot, Seats]:
    """So many plain CPU workers."""
    return {Slot(f"{CPU}-{n}"): WORKER for n in range(number)}


def largest_gang(wanted: Mapping[str, float]) -> int:
    """The workers of the largest gang of CPU workers that is wanted, or 1."""
    return max((int(devices) for name, devices in wanted.items() if name.startswith(f"{CPU}-")), default=1)


def hosts(ids: Collection[str], nodes: Iterable[Node]) -> str:
    """Nodes by their names in the cluster, in words; nothing where there are none."""
    names = dict.fromkeys(node["NodeManagerHostname"] for node in nodes if node["NodeID"] in ids)
    if not names:
        return ""
    return f"node{'s' * (len(names) > 1)} {', '.join(names)}"


def followed(
    before: Mapping[Slot, Seats], now: Mapping[Slot, Seats], working: Collection[str], placed: Collection[str]
) -> dict[Slot, Seats]:
    """The slots `before` that go on and new ones, so that there are as many of each kind as in `now`.

    Those whose jobs are `working` go on in any case; of the others first those with a job that was `placed`.
    """
    left = Counter((slot.type, seats) for slot, seats in now.items())
    slots: dict[Slot, Seats] = {}
    for slot, seats in sorted(
        before.items(), key=lambda entry: (entry[0].name not in working, entry[0].name not in placed)
    ):
        if left[slot.type, seats] > 0 or slot.name in working:
            slots[slot] = seats
            left[slot.type, seats] -= 1
    names = {slot.name for slot in (*before, *slots)}  # a worker that waits for other hosts may have one that left
    for (slot_type, seats), number in left.items():
        for _ in range(number):
            slot = Slot(_free_name(slot_type, names), slot_type)
            names.add(slot.name)
            slots[slot] = seats
    return dict(sorted(slots.items(), key=lambda entry: (entry[0].type, len(entry[0].name), entry[0].name)))


def _free_name(slot_type: str, names: Collection[str]) -> str:
    sign = "/"
    if slot_type == CPU:
        sign = "-"
    number = next(n for n in range(len(names) + 1) if f"{slot_type}{sign}{n}" not in names)
    return f"{slot_type}{sign}{number}"


def serves(node: Node, wanted: Mapping[str, float], *, plain: bool) -> bool:
    """Whether a node may be a part of slots of these types, or, where they are wanted, of plain CPU workers."""
    has = node["Resources"]
    if has.get("CPU", 0) >= 1 and (plain or any(name.startswith(f"{CPU}-") for name in wanted)):
        return True
    return bool(has.get("GPU") or has.get("TPU")) and any(not name.startswith(CPU) for name in wanted)


def shortage(seats: Seats, nodes: Sequence[Node], free: Mapping[str, Mapping[str, float]]) -> str:
    """What a slot lacks of what it needs, in a few words; nothing where there is enough.

    `free` has the resources of each node, by its id, that nobody has.
    """
    name, need = _resource(seats)
    fitting = Counter[str]()  # places for its workers, by slice where it needs one
    for node in nodes:
        if not _is_kind(node, seats):
            continue
        places = int(free.get(node["NodeID"], {}).get(name, 0) / need + _ROUNDING)
        if seats.chips or seats.gpus:  # one on each host
            places = min(places, 1)
        fitting[_slice(node, seats)] += places
    if max(fitting.values(), default=0) >= seats.hosts:
        return ""
    return inventory(seats, nodes, free)


def left_by(others: Iterable[Seats], nodes: Iterable[Node]) -> dict[str, dict[str, float]]:
    """What workers leave of the only node of an embedded cluster, by its id.

    What Ray says is free lacks also what the slot's own worker has, which may take long to start.
    """
    taken: dict[str, float] = {}
    for seats in others:
        for name, need in seats.bundle.items():
            taken[name] = taken.get(name, 0.0) + seats.hosts * need
    return {
        node["NodeID"]: {name: total - taken.get(name, 0.0) for name, total in node["Resources"].items()}
        for node in nodes
    }


def inventory(seats: Seats, nodes: Sequence[Node], free: Mapping[str, Mapping[str, float]]) -> str:
    """What a slot needs, and how much of it nodes of its kind have, in a few words."""
    name, need = _resource(seats)
    fitting_nodes = [node for node in nodes if _is_kind(node, seats)]
    total = sum(node["Resources"].get(name, 0) for node in fitting_nodes)
    unused = sum(free.get(node["NodeID"], {}).get(name, 0) for node in fitting_nodes)
    return f"it needs {seats.hosts * need:g} {name}, and of {total:g} in the cluster {unused:g} are free"


def _resource(seats: Seats) -> tuple[str, float]:
    """What each worker of a slot needs most of, by Ray's name, and how much."""
    return max(seats.bundle.items(), key=lambda entry: entry[1])


def _is_kind(node: Node, seats: Seats) -> bool:
    label = GPU_LABEL
    if seats.chips:
        label = POD_LABEL
    return seats.kind in ("", node["Labels"].get(label))


def _slice(node: Node, seats: Seats) -> str:
    if not seats.chips:
        return ""
    return str(node["Labels"].get(SLICE_LABEL))
