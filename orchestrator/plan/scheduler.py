"""Which ready job goes to which free slot next; pure, with no clock of its own."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import attrgetter

from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.slot_types import devices_of
from scalectl.orchestrator.vocabulary import Slot

Key = tuple[float, tuple[str, ...], str]  # jobs alike in priority, in the slots that will do, and in shape
Entry = tuple[float, str]  # a job of a group: minus its length, and its id


def chains(
    jobs: Sequence[PlannedJob], seconds: Callable[[PlannedJob], float] = attrgetter("seconds")
) -> Iterator[tuple[str, float]]:
    """Yield each job's id with the seconds of the longest chain that begins with it, the last job first.

    `jobs` come after what they need; `seconds` says how long each takes.
    """
    after: dict[str, float] = {}
    for job in reversed(jobs):
        length = seconds(job) + after.pop(job.id, 0.0)
        for need in job.needs:
            after[need] = max(after.get(need, 0.0), length)
        yield job.id, length


def longest(jobs: Sequence[PlannedJob], seconds: Callable[[PlannedJob], float] = attrgetter("seconds")) -> float:
    """The seconds of the longest chain of jobs; 0 without jobs."""
    return max((length for _, length in chains(jobs, seconds)), default=0.0)


class Queue:
    """The jobs of a plan that wait for a slot, of which there are `slots`.

    Of the jobs that are ready it places those of the highest priority first; of these the cheapest of each shape that
    never ran, as a canary; then those that the fewest types of slots will do for, so that small jobs don't take the
    slices that large ones need; and then the one with the longest chain of jobs behind it, so that trunks never starve
    and cooldowns fill gaps. A slot stays with its shape, for which it is warm, while no chain is late for it. Under the
    same condition the cheapest cooldown of its shape goes before trunks, so that runs end from early on.
    """

    def __init__(self, jobs: Sequence[PlannedJob], slots: Iterable[Slot]) -> None:
        self.waiting = {job.id: job for job in jobs}
        self.held: set[str] = set()  # shapes of which nothing is placed for now
        self._count: Counter[str] = Counter()  # slots by their types
        self._length = dict(chains(jobs))
        self._after: dict[str, list[str]] = defaultdict(list)
        self._unmet = {job.id: sum(need in self.waiting for need in job.needs) for job in jobs}
        self._ready: dict[Key, list[Entry]] = {}
        self._endings: dict[str, list[Entry]] = {}  # shape -> seconds and ids of its ready cooldowns
        self._work: Counter[str] = Counter()  # seconds of waiting jobs by the types of slots that will do for them
        self._proven: set[str] = set()  # shapes of which a job was placed
        self._warm: dict[str, str] = {}  # slot -> the shape that it ran last
        self._of_trunk: dict[str, list[str]] = defaultdict(list)
        for job in jobs:
            self._of_trunk[job.trunk].append(job.id)
            for need in job.needs:
                self._after[need].append(job.id)
        self.follow(slots)

    def follow(self, slots: Iterable[Slot]) -> None:
        """Place jobs on these slots from now on."""
        self._count = Counter(slot.type for slot in slots)
        self._work.clear()
        self._ready.clear()
        self._endings.clear()
        for job in self.waiting.values():
            self._work.update(dict.fromkeys(self._types(job), job.seconds))
            if not self._unmet[job.id]:
                self._push(job)

    @property
    def ready(self) -> bool:
        """Tell whether a job waits for nothing but a slot."""
        return any(self._tops())

    def misfits(self) -> list[PlannedJob]:
        """The waiting jobs for which no slot will do."""
        return [job for job in self.waiting.values() if not self._types(job)]

    def placements(self, free: Iterable[Slot]) -> list[tuple[PlannedJob, Slot]]:
        """Take jobs off the queue, each with a free slot."""
        left, placed = list(free), []
        while left and (placement := self._next(left)):
            job, slot = placement
            left.remove(slot)
            self._take(job, slot)
            placed.append(placement)
        return placed

    def done(self, job: PlannedJob) -> None:
        """Note that a job that was placed is done: what needs it may be ready now."""
        for name in self._after.pop(job.id, ()):
            self._unmet[name] -= 1
            if not self._unmet[name] and name in self.waiting:
                self._push(self.waiting[name])

    def again(self, job: PlannedJob) -> None:
        """Put a job that was placed back, with the seconds that are left of it; or one that is new."""
        self._wait(job)
        self._unmet[job.id] = 0
        self._push(job)

    def after(self, job: PlannedJob, need: PlannedJob) -> None:
        """Have a job wait until another one is done: one that was placed, or that was ready."""
        if job.id not in self.waiting:
            self._wait(job)
        self._unmet[job.id] = 1
        self._after[need.id].append(job.id)
        self._lengthen(need.id)

    def drop(self, runs: Iterable[str], trunk: str | None = None) -> None:
        """Forget the waiting jobs that serve no other runs than these; with `trunk`, those of that trunk alone."""
        lost = set(runs)
        jobs: Iterable[PlannedJob] = self.waiting.values()
        if trunk is not None:
            jobs = [self.waiting[name] for name in self._of_trunk[trunk] if name in self.waiting]
        for job in [job for job in jobs if lost.issuperset(job.runs)]:
            self._remove(job)

    def _wait(self, job: PlannedJob) -> None:
        self._length[job.id] = self._chain(job)
        if job.id not in self._unmet:  # a stretch that is new
            self._of_trunk[job.trunk].append(job.id)
        self.waiting[job.id] = job
        self._work.update(dict.fromkeys(self._types(job), job.seconds))

    def _lengthen(self, name: str) -> None:
        """Give a job, and those that it needs, the length of the longest chain that begins with them by now."""
        if name not in self.waiting:
            return
        job = self.waiting[name]
        self._length[name] = self._chain(job)
        if not self._unmet[name]:
            self._push(job)
        for need, names in self._after.items():
            if name in names:
                self._lengthen(need)

    def _chain(self, job: PlannedJob) -> float:
        after = [self._length[name] for name in self._after.get(job.id, ()) if name in self.waiting]
        return job.seconds + max(after, default=0.0)

    def _types(self, job: PlannedJob) -> tuple[str, ...]:
        return tuple(kind for kind in self._count if job.fit.takes(kind))

    def _push(self, job: PlannedJob) -> None:
        key = (-job.fit.priority, self._types(job), job.shape)
        heapq.heappush(self._ready.setdefault(key, []), (-self._length[job.id], job.id))
        if job.is_cooldown:
            heapq.heappush(self._endings.setdefault(job.shape, []), (job.seconds, job.id))

    def _remove(self, job: PlannedJob) -> None:
        del self.waiting[job.id]
        self._work.subtract(dict.fromkeys(self._types(job), job.seconds))

    def _take(self, job: PlannedJob, slot: Slot) -> None:
        self._remove(job)
        self._proven.add(job.shape)
        self._warm[slot.name] = job.shape

    def _tops(self) -> Iterator[tuple[Key, Entry]]:
        """Yield the groups that have a ready job, with the longest of each."""
        for key, heap in self._ready.items():
            while heap and not self._waits(heap[0]):
                heapq.heappop(heap)  # placed or dropped since, or put back: with another length, or to wait for a job
            if heap and key[2] not in self.held:
                yield key, heap[0]

    def _waits(self, entry: Entry) -> bool:
        """Tell whether an entry of the heap still stands for a job that waits for nothing but a slot."""
        length, name = entry
        return self._is_ready(name) and -length == self._length[name]

    def _is_ready(self, name: str) -> bool:
        return name in self.waiting and not self._unmet[name]

    def _next(self, free: Sequence[Slot]) -> tuple[PlannedJob, Slot] | None:
        """The job that goes first with its slot, or None where no free slot will do for a ready job."""
        types = {slot.type for slot in free}
        tops = {key: top for key, top in self._tops() if types.intersection(key[1])}
        if not tops:
            return None
        ranks = {key: self._rank(key, top) for key, top in tops.items()}
        first = min(ranks, key=lambda key: ranks[key])
        job = self.waiting[ranks[first][-1]]
        if job.shape in self._proven and (early := self._early(free, job)):
            return early
        fitting = [slot for slot in free if slot.type in first[1]]
        slot = self._cheapest(fitting, job, {key[2] for key in tops})
        warm = [key for key in tops if key[2] == self._warm.get(slot.name) != job.shape and slot.type in key[1]]
        if warm and job.shape in self._proven:
            alike = self.waiting[min(ranks[key] for key in warm)[-1]]
            if self._stays(slot, alike, job):
                return alike, slot
        return job, slot

    def _rank(self, key: Key, top: Entry) -> tuple[float, bool, int, float, str]:
        """The sorting key of a group's next job, which ends with that job's id."""
        priority, types, shape = key
        if shape in self._proven:
            return (priority, True, len(types), *top)
        canary = min((self.waiting[entry[1]].seconds, *entry) for entry in self._ready[key] if self._waits(entry))
        return (priority, False, len(types), canary[1], canary[2])

    def _early(self, free: Sequence[Slot], first: PlannedJob) -> tuple[PlannedJob, Slot] | None:
        """The cheapest ready cooldown, with a slot that is warm for it.

        None where there is none, or where the chain of `first` would be late for it.
        """
        found = [(ending, slot) for slot in free for ending in self._cheapest_endings(slot)]
        if not found:
            return None
        ending, slot = min(found, key=lambda placement: (placement[0].seconds, placement[0].id))
        if ending.id == first.id or not self._stays(slot, ending, first):
            return None
        return ending, slot

    def _cheapest_endings(self, slot: Slot) -> list[PlannedJob]:
        """The cheapest ready cooldown of the shape that a slot is warm for."""
        shape = self._warm.get(slot.name, "")
        heap = self._endings.get(shape)
        if not heap or shape in self.held:
            return []
        while heap and not self._is_ready(heap[0][1]):
            heapq.heappop(heap)
        cheapest = [self.waiting[name] for _, name in heap[:1]]
        return [job for job in cheapest if slot.type in self._types(job)]

    def _cheapest(self, slots: Sequence[Slot], job: PlannedJob, shapes: Collection[str]) -> Slot:
        """The slot that costs least for a job, given the shapes that are ready; the first of those that are alike."""
        costs: dict[tuple[str, str | None], tuple[float, int]] = {}

        def cost(slot: Slot) -> tuple[float, int]:
            alike = (slot.type, self._warm.get(slot.name))
            if alike not in costs:
                costs[alike] = self._cost(slot, job, shapes)
            return costs[alike]

        return min(slots, key=cost)

    def _cost(self, slot: Slot, job: PlannedJob, shapes: Collection[str]) -> tuple[float, int]:
        """The sorting key of slots: small before large, warm before cold, and cold before warm for another."""
        shape = self._warm.get(slot.name)
        if shape == job.shape:
            return devices_of(slot.type), 0
        return devices_of(slot.type), 2 if shape in shapes else 1

    def _stays(self, slot: Slot, warm: PlannedJob, first: PlannedJob) -> bool:
        """Tell whether a slot may run a job of its shape first: the chain of `first` still ends with the others."""
        if warm.fit.priority < first.fit.priority or len(self._types(warm)) > len(self._types(first)):
            return False
        share = self._work[slot.type] / self._count[slot.type]
        return 2 * (self._length[first.id] + warm.seconds) < share
