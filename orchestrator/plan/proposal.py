"""The slots that a plan is priced on where nobody says how many there are: the fewest on which no work waits."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from scalectl.orchestrator.format import counted
from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.plan.scheduler import longest
from scalectl.orchestrator.vocabulary import CPU, Slot


def proposed(jobs: Sequence[PlannedJob], cores: int) -> tuple[Slot, ...]:
    """The slots for jobs, which come after what they need: CPU workers on all cores, where they will do for any.

    Of each other type as many as share its work in the time of the longest chain of jobs, which no number can shorten.
    """
    work: defaultdict[str, float] = defaultdict(float)
    numbers: defaultdict[str, int] = defaultdict(int)
    for job in jobs:
        slot_type = CPU
        if not job.fit.takes(CPU):
            slot_type = job.fit.types[0]
        work[slot_type] += job.seconds
        numbers[slot_type] += 1
    chain = longest(jobs)
    counts = {CPU: cores}
    for slot_type in work.keys() - {CPU}:
        enough = 1
        if chain:
            enough = math.ceil(work[slot_type] / chain - 1e-9)
        counts[slot_type] = max(1, min(numbers[slot_type], enough))
    return tuple(Slot(f"{name}/{n}", name) for name in work or (CPU,) for n in range(counts[name]))


def completed(jobs: Sequence[PlannedJob], slots: Sequence[Slot], cores: int) -> tuple[Slot, ...]:
    """These slots, and those proposed for the jobs that none of them will do for; a launch takes all there are."""
    left = [job for job in jobs if not any(job.fit.takes(slot.type) for slot in slots)]
    if slots and not left:
        return tuple(slots)
    return (*slots, *proposed(left, cores))


def in_words(slots: Iterable[Slot]) -> str:
    """Slots by their types: 2 slots of CPU workers, or 4 slots of v3-32 and 1 of v3-128."""
    (first, number), *later = Counter(slot.type for slot in slots).items()
    if first == CPU and not later:
        return counted(number, "slot")
    return ", ".join([f"{counted(number, 'slot')} of {first}", *(f"{number} of {name}" for name, number in later)])


def by_type(slots: Iterable[Slot]) -> list[dict[str, str | int]]:
    """The number of slots of each type, for JSON."""
    return [{"type": name, "count": number} for name, number in Counter(slot.type for slot in slots).items()]
