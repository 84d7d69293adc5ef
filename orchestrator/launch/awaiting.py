"""The slots that a launch waits for before it begins, on a cluster whose nodes may still be coming."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.cluster.ray_server import Unreachable
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import counted, duration
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.vocabulary import CPU, Slot
from scalectl.trainer.events import Stop

POLL_SECONDS = 0.5


def awaited(
    cluster: Supervisor,
    plan: Plan,
    slots: Sequence[Slot],
    seconds: float,
    stopping: Stop,
    say: Callable[[str], None],
) -> bool:
    """Wait until a cluster has a slot for each job of a plan, and as many of a type as `slots` has; False once stopped.

    After so many seconds it is enough to have any; raises Refusal without, and Unreachable where the cluster is lost.
    """
    if not cluster.backend.grows:
        return True
    deadline, waits = time.monotonic() + seconds, False
    while missing := _missing(cluster, plan, slots):
        if stopping.is_set():
            return False
        if cluster.backend.lost:
            raise Unreachable(f"{cluster.backend.lost}. Nothing was trained.")
        if time.monotonic() > deadline:
            break
        if not waits:
            waits = True
            say(f"{missing}: {cluster.backend.lacking()}. Waiting for nodes to join, up to {duration(seconds)}.")
        time.sleep(POLL_SECONDS)
        cluster.backend.follow()
    if not cluster.slots:
        waited = f"in {duration(seconds)} (limits.acquire)"
        raise Refusal(f"refused: no worker has joined the cluster {waited}: {cluster.backend.lacking()}.")
    return True


def _missing(cluster: Cluster, plan: Plan, slots: Sequence[Slot]) -> str:
    """What a cluster still lacks, in a few words; nothing where it has all that is needed."""
    if not cluster.slots:
        return "No worker has joined the cluster yet"
    types = Counter(cluster.types.get(name, CPU) for name in cluster.slots)
    for job in plan.jobs:
        if not any(map(job.fit.takes, types)):
            return f"No slot of type {' or '.join(job.fit.types)} yet"
    for slot_type, number in Counter(slot.type for slot in slots if slot.type != CPU).items():
        if types[slot_type] < number:
            return f"{types[slot_type]} of {counted(number, 'slot')} of type {slot_type} yet"
    return ""
