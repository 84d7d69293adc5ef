"""The time that no schedule can do without."""

from collections import defaultdict
from collections.abc import Sequence

from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.plan.scheduler import longest
from scalectl.orchestrator.slot_types import devices_of
from scalectl.orchestrator.vocabulary import Slot


def lower_bound(jobs: Sequence[PlannedJob], slots: Sequence[Slot]) -> float:
    """The seconds that no schedule can do without: the longest chain on the largest slots, or work that is shared.

    Jobs that only some types of slots will do for share the devices of those.
    """
    devices = {kind: devices_of(kind) for kind in {slot.type for slot in slots}}
    fits = dict.fromkeys(job.fit for job in jobs)
    devices |= {kind: fit.devices_on(kind) for fit in fits for kind in devices if fit.takes(kind)}
    fitting = {fit: frozenset(kind for kind in devices if fit.takes(kind)) for fit in fits}
    most = {fit: max(devices[kind] for kind in fitting[fit]) for fit in fits}
    work: dict[frozenset[str], float] = defaultdict(float)
    for job in jobs:
        work[fitting[job.fit]] += job.seconds * job.fit.devices
    shares = [
        sum(amount for inner, amount in work.items() if inner <= group)
        / sum(devices[slot.type] for slot in slots if slot.type in group)
        for group in (*work, frozenset(devices))
    ]
    return max(*shares, longest(jobs, lambda job: job.seconds * job.fit.devices / most[job.fit]), 0.0)
