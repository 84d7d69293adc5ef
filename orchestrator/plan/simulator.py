"""A plan carried out on a virtual clock by the schedule of real launches, with pre-emptions; nothing is started."""

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import counted, duration
from scalectl.orchestrator.plan.bound import lower_bound
from scalectl.orchestrator.plan.placement import is_known
from scalectl.orchestrator.plan.plan import Caps, PlannedJob
from scalectl.orchestrator.plan.preemptions import Preemptions, notices
from scalectl.orchestrator.plan.proposal import proposed
from scalectl.orchestrator.plan.scheduler import Queue
from scalectl.orchestrator.plan.typed_slots import InvalidSlots
from scalectl.orchestrator.vocabulary import AttemptState, Slot

MOST_LIVES = 1000  # of a job that never gets as far as its next checkpoint


class Unplaceable(Refusal):
    """A study that these slots can't finish."""


@dataclass(frozen=True)
class Life:
    """One stay of a job on a slot: from when to when, how it ended, and the seconds of work that it lost."""

    job: PlannedJob
    slot: Slot
    start: float
    stop: float
    state: AttemptState  # done, preempted, or stopped by a cap
    lost: float = 0.0
    cold: bool = False  # the slot ran another shape before: a launch would compile here

    @property
    def devices(self) -> float:
        """The devices of the slot."""
        return self.job.fit.devices_on(self.slot.type)


@dataclass(frozen=True)
class Simulation:
    """What became of a plan: the lives of its jobs in the order in which they were placed."""

    lives: tuple[Life, ...]
    makespan: float
    lower_bound: float  # most of: the longest chain of jobs, and the work of each group of slots shared among them
    runs: int
    done: int  # runs that ended

    @property
    def device_hours(self) -> float:
        """The hours on devices of all lives, what they lost included."""
        return sum((life.stop - life.start) * life.devices for life in self.lives) / 3600

    @property
    def lost(self) -> float:
        """The seconds of slots whose work was done again."""
        return sum(life.lost for life in self.lives)

    @property
    def goodput(self) -> float:
        """The share of the device-hours whose steps were kept."""
        spent = self.device_hours
        if not spent:
            return 1.0
        return 1 - sum(life.lost * life.devices for life in self.lives) / 3600 / spent


def simulate(
    jobs: Sequence[PlannedJob],
    slots: Sequence[Slot],
    preemptions: Preemptions | None = None,
    caps: Caps | None = None,
) -> Simulation:
    """What becomes of jobs, which come after what they need, on slots that are all there from the start.

    Raises InvalidSlots for a type of slot that neither the jobs nor scalectl know,
    Unplaceable where no slot will do for a job, or where none lives long enough for its next checkpoint.
    """
    asked = {slot_type for job in jobs for slot_type in job.fit.types}
    if strange := sorted({slot.type for slot in slots if slot.type not in asked and not is_known(slot.type)}):
        raise InvalidSlots(
            f"--slots: nothing is known of slots of type {', '.join(strange)}. Name them in resources.default.type,"
            " or give a type such as cpu, gpu or v5e-16."
        )
    clock = _Clock(jobs, slots, preemptions or Preemptions(), caps or Caps())
    if misfits := clock.queue.misfits():
        wanted = ", ".join(sorted({" or ".join(job.fit.types) for job in misfits}))
        counts = Counter(slot.type for slot in proposed(misfits, len(slots)))
        remedy = " ".join(f"--slots {number}x{name}" for name, number in counts.items())
        raise Unplaceable(f"{counted(len(misfits), 'job')} need a slot of type {wanted}: add {remedy}.")
    lives = tuple(clock.run())
    ended = {life.job.id for life in lives if life.state == AttemptState.DONE}
    served = {run for job in jobs for run in job.runs}
    lost = {run for job in jobs if job.id not in ended for run in job.runs}
    makespan = max((life.stop for life in lives), default=0.0)
    return Simulation(lives, makespan, lower_bound(jobs, slots), len(served), len(served - lost))


@dataclass(frozen=True)
class _Stay:
    """A job on its slot until `stop`, unless something happens first."""

    number: int  # in the order in which jobs are placed
    job: PlannedJob
    slot: Slot
    start: float
    stop: float
    cold: bool

    def life(self, now: float, state: AttemptState, lost: float = 0.0) -> Life:
        return Life(self.job, self.slot, self.start, now, state, lost, self.cold)


class _Clock:
    """The virtual time, the slots, and what happens next."""

    def __init__(self, jobs: Sequence[PlannedJob], slots: Sequence[Slot], preemptions: Preemptions, caps: Caps) -> None:
        self.queue, self.slots, self.preemptions, self.caps = Queue(jobs, slots), slots, preemptions, caps
        self.whole = {job.id: job for job in jobs}
        self.now, self.device_seconds, self.flops = 0.0, 0.0, 0.0
        self.lives: dict[int, Life | None] = {}  # by the number of the stay
        self.stays: dict[Slot, _Stay] = {}
        self.back: dict[Slot, float] = {}  # slots that were taken away, and when they return
        self.warm: dict[Slot, str] = {}
        self.fruitless: Counter[str] = Counter()  # lives in a row that reached no checkpoint
        self.ends: list[tuple[float, int, Slot]] = []
        self.notices = notices(preemptions, slots)
        self.notice = next(self.notices, None)

    def run(self) -> Iterator[Life]:
        """Carry all out; the lives come in the order in which their jobs were placed."""
        self._place()
        while self.stays or (self.back and self.queue.waiting):
            if self._advance():
                self._stop_all()
                break
            while self.ends and self.ends[0][0] <= self.now:
                _, number, slot = heapq.heappop(self.ends)
                if slot in self.stays and self.stays[slot].number == number:
                    self._end(self.stays.pop(slot))
            self.back = {slot: returns for slot, returns in self.back.items() if returns > self.now}
            while self.notice and self.notice[0] <= self.now:
                self._take_away(self.notice[1])
                self.notice = next(self.notices, None)
            self._place()
        return iter(life for life in self.lives.values() if life)

    def _place(self) -> None:
        free = [slot for slot in self.slots if slot not in self.stays and slot not in self.back]
        for job, slot in self.queue.placements(free):
            seconds = job.seconds * job.fit.devices / job.fit.devices_on(slot.type)
            cold = self.warm.get(slot) != job.shape
            stay = _Stay(len(self.lives), job, slot, self.now, self.now + seconds, cold)
            self.lives[stay.number] = None
            self.stays[slot], self.warm[slot] = stay, job.shape
            heapq.heappush(self.ends, (stay.stop, stay.number, slot))

    def _advance(self) -> bool:
        """Go to the next thing that happens, and tell whether a cap is reached first."""
        times = [*self.back.values()]
        if self.ends:
            times.append(self.ends[0][0])
        if self.notice:
            times.append(self.notice[0])
        then = min(times, default=math.inf)
        if math.inf == self.caps.max_flops == self.caps.max_device_hours:
            self.now = then
            return False
        devices = sum(stay.job.fit.devices_on(slot.type) for slot, stay in self.stays.items())
        speed = sum(self._flops_per_second(stay) for stay in self.stays.values())
        capped = min(
            _reached(self.now, self.device_seconds, devices, 3600 * self.caps.max_device_hours),
            _reached(self.now, self.flops, speed, self.caps.max_flops),
        )
        passed = min(then, capped) - self.now
        self.device_seconds += devices * passed
        self.flops += speed * passed
        self.now = min(then, capped)
        return capped < then

    def _flops_per_second(self, stay: _Stay) -> float:
        whole = self.whole[stay.job.id]
        seconds = whole.seconds * whole.fit.devices / whole.fit.devices_on(stay.slot.type)
        if not seconds:
            return 0.0
        return whole.flops / seconds

    def _end(self, stay: _Stay) -> None:
        self.lives[stay.number] = stay.life(self.now, AttemptState.DONE)
        self.queue.done(stay.job)

    def _stop_all(self) -> None:
        """End what runs as a launch does that may spend no more: at a checkpoint, so that no work is lost."""
        for stay in self.stays.values():
            self.lives[stay.number] = stay.life(self.now, AttemptState.STOPPED)

    def _take_away(self, group: Sequence[Slot]) -> None:
        for slot in group:
            self.back[slot] = self.now + self.preemptions.away
            if stay := self.stays.pop(slot, None):
                self._preempt(stay)

    def _preempt(self, stay: _Stay) -> None:
        """Put a job back with what is left of it since its last checkpoint."""
        ratio = stay.job.fit.devices_on(stay.slot.type) / stay.job.fit.devices
        worked = (self.now - stay.start) * ratio
        interval = self._interval(stay.job)
        kept = worked
        if interval:
            kept = interval * math.floor(worked / interval)
        self.lives[stay.number] = stay.life(self.now, AttemptState.PREEMPTED, (worked - kept) / ratio)
        self.fruitless[stay.job.id] += 1
        if kept:
            self.fruitless[stay.job.id] = 0
        if self.fruitless[stay.job.id] > MOST_LIVES:
            raise Unplaceable(
                f"{stay.job.job.name} never reaches a checkpoint: they are {duration(interval)} apart."
                " Lower train.checkpoint_every."
            )
        self.queue.again(replace(stay.job, seconds=stay.job.seconds - kept))

    def _interval(self, job: PlannedJob) -> float:
        """The seconds between two checkpoints on a slot of the first type that fits."""
        whole = self.whole[job.id]
        if not whole.steps:
            return 0.0
        return whole.seconds * whole.job.checkpoint_every / whole.steps


def _reached(now: float, spent: float, speed: float, cap: float) -> float:
    """The time at which a cap is reached at this speed of spending."""
    if not speed:
        return math.inf
    return now + max(0.0, cap - spent) / speed
