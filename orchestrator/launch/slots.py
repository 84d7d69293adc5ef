"""The slots of a launch against what is asked for: refusals of slots of no use, too few of a type, none for a job."""

from collections import Counter
from collections.abc import Mapping, Sequence

from scalectl.orchestrator.cluster.backends import fixed_slots
from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.vocabulary import CPU, Slot


def check_use(plan: Plan, slots: Sequence[Slot], backend: str) -> None:
    """Raise a Refusal for slots on which no job would run, or that a backend which has the same everywhere lacks."""
    if not plan.jobs:
        return
    for slot_type, number in Counter(slot.type for slot in slots).items():
        if not any(job.fit.takes(slot_type) for job in plan.jobs):
            taken = ", ".join(sorted({name for job in plan.jobs for name in job.fit.types}))
            raise Refusal(
                f"refused: --slots asks for {counted(number, 'slot')} of type {slot_type}, on which no job would run:"
                f" they need type {taken}."
            )
    if fixed := fixed_slots(backend):
        _enough(fixed, slots)


def limit_slots(cluster: Cluster, slots: Sequence[Slot]) -> None:
    """Leave to a cluster as many slots of each type as are asked for; raises Refusal where it has fewer.

    CPU workers are made as they are asked for.
    """
    types = {name: cluster.types.get(name, CPU) for name in cluster.slots}
    _enough(types, slots)
    for slot_type, number in Counter(slot.type for slot in slots if slot.type != CPU).items():
        left_out = [name for name in cluster.slots if types[name] == slot_type][number:]
        cluster.slots = tuple(name for name in cluster.slots if name not in left_out)


def _enough(types: Mapping[str, str], slots: Sequence[Slot]) -> None:
    """Raise a Refusal where slots with these types are fewer of one than are asked for; CPU workers can be made."""
    for slot_type, number in Counter(slot.type for slot in slots if slot.type != CPU).items():
        if list(types.values()).count(slot_type) < number:
            has = ", ".join(f"{count} of type {name}" for name, count in sorted(Counter(types.values()).items()))
            asked = f"{counted(number, 'slot')} of type {slot_type}"
            raise Refusal(f"refused: --slots asks for {asked}, and this launch has only {has}.")


def check_slots(plan: Plan, cluster: Cluster) -> None:
    """Raise a Refusal where a cluster has no slot for some of a plan's jobs."""
    types = {cluster.types.get(name, CPU) for name in cluster.slots}
    lacking = {" or ".join(job.fit.types) for job in plan.jobs if not any(map(job.fit.takes, types))}
    if lacking:
        present = ", ".join(sorted(types))
        raise Refusal(f"refused: jobs need slots of type {', '.join(sorted(lacking))}, and there are only {present}.")
