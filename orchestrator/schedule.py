"""Which ready job goes to which free slot next; pure, with no clock of its own."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.plan import PlannedJob


def lengths(jobs: Sequence[PlannedJob]) -> dict[str, float]:
    """Return for each job the seconds of the longest chain that begins with it; `jobs` come after what they need."""
    after: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        for need in job.needs:
            after[need].append(job.id)
    found: dict[str, float] = {}
    for job in reversed(jobs):
        found[job.id] = job.seconds + max((found[child] for child in after[job.id]), default=0.0)
    return found


def place(
    ready: Iterable[PlannedJob], free: Iterable[str], warm: Mapping[str, str], length: Mapping[str, float]
) -> list[tuple[PlannedJob, str]]:
    """Return (job, slot) pairs: longest remaining chain first, so that trunks never starve and cooldowns fill gaps.

    `warm` tells the shape that a slot ran last; a job takes a slot of its own shape when one is free, because
    there it doesn't compile, and else a slot that no other ready job would find warm.
    """
    waiting = sorted(ready, key=lambda job: (-length[job.id], job.id))
    slots = list(free)
    shapes = {job.shape for job in waiting}
    placed = []
    for job in waiting[: len(slots)]:
        slot = min(slots, key=lambda slot: (_chill(warm.get(slot), job.shape, shapes), slots.index(slot)))
        slots.remove(slot)
        placed.append((job, slot))
    return placed


def _chill(shape: str | None, wanted: str, shapes: set[str]) -> int:
    if shape == wanted:
        return 0
    return 2 if shape in shapes else 1
