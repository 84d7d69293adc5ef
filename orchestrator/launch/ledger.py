"""What a launch spends: the time of each slot by what it went into, FLOPs, and hours on devices."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from scalectl.orchestrator.format import flops, hours
from scalectl.orchestrator.goodput import Entries, total
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.plan.plan import Caps
from scalectl.trainer.events import Checkpoint, Done, Event, Progress, Skipped, Spent, Started, Stopped
from scalectl.trainer.flops import training_flops


@dataclass
class _Held:
    """A slot that holds a job: since when, when it answered, and its first and last report of its time."""

    since: float
    started: float | None = None
    first: Spent | None = None
    last: Spent | None = None

    def take(self, event: Event, now: float) -> None:
        if isinstance(event, Started):
            self.started = self.started or now
        if isinstance(event, Spent):
            self.first, self.last = self.first or event, event

    def split(self, now: float, *, kept: bool) -> Entries:
        """The entries of the time since it holds the job; with `kept`, what no checkpoint holds yet isn't lost."""
        held = now - self.since
        if self.started is None or self.first is None or self.last is None:
            return {"acquire": held}
        first, last = self.first, self.last
        placing = max(0.0, self.started - self.since - first.begin - first.compile)
        reported = last.begin + last.compile + last.train + last.evaluate + last.save + last.input
        unreported = max(0.0, held - placing - reported)
        entries = {
            "acquire": placing + last.begin,
            "compile": last.compile,
            "step": last.train,
            "input": last.input,
            "evaluate": last.evaluate,
            "checkpoint": last.save,
            "lost": 0.0,
        }
        if kept:
            entries["acquire"] += unreported
        else:
            entries["lost"] = unreported
        return entries


class Ledger:
    """The books of one launch.

    Work counts as lost until a checkpoint or the end of its job holds it, so that they are right whenever the launcher
    or a worker is killed.
    """

    def __init__(self, slots: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept = clock()
        self._past: dict[str, Entries] = {slot: total([]) for slot in slots}
        self._slots = {*self._past}
        self._free = dict.fromkeys(self._past, self._kept)  # slot -> since when it holds no job
        self._held: dict[str, _Held] = {}

    def follow(self, slots: Collection[str]) -> None:
        """Count the time of these slots from now on; of others that of a job that still runs."""
        now = self._clock()
        for slot in self._free.keys() - {*slots}:
            self._add(slot, {"idle": now - self._free.pop(slot)})
        for slot in slots:
            if slot not in self._free and slot not in self._held:
                self._past.setdefault(slot, total([]))
                self._free[slot] = now
        self._slots = {*slots}

    def take(self, news: News) -> None:
        """Note that a slot was given a job, what the job reports of its time, and its end."""
        now, slot = self._clock(), news.slot
        if not news.events:
            self._add(slot, {"idle": now - self._free.pop(slot)})
            self._held[slot] = _Held(now)
        for event in news.events:
            self._held[slot].take(event, now)
        if news.ended:
            kept = isinstance(news.events[-1], Done | Stopped)
            self._add(slot, self._held.pop(slot).split(now, kept=kept))
            if slot in self._slots:
                self._free[slot] = now

    def due(self, every: float) -> bool:
        """Whether so many seconds have passed since this was last true."""
        now = self._clock()
        if now - self._kept < every:
            return False
        self._kept = now
        return True

    def end(self) -> None:
        """Count no time from now on."""
        now = self._clock()
        self._clock = lambda: now

    def entries(self) -> dict[str, Entries]:
        """The seconds of each slot so far by what they went into; they add up to the time for which it was there."""
        now = self._clock()
        current = {slot: total([]) for slot in self._past}
        current |= {slot: held.split(now, kept=False) for slot, held in self._held.items()}
        current |= {slot: {"idle": now - since} for slot, since in self._free.items()}
        return {slot: total([past, current[slot]]) for slot, past in self._past.items()}

    def _add(self, slot: str, entries: Entries) -> None:
        self._past[slot] = total([self._past[slot], entries])


class Meter:
    """What the jobs of a launch have spent: device-hours by the clock, and FLOPs by the steps that they reported."""

    def __init__(self, caps: Caps, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps, self._clock = caps, clock
        self._began: dict[str, tuple[float, float]] = {}  # slot -> when its job began, devices
        self._steps: dict[str, int] = {}  # slot -> the last step that its job reported
        self._flops, self._device_seconds = 0.0, 0.0

    def take(self, news: News) -> None:
        """Count the steps of a batch, and the time of a job from its placement to its end."""
        slot, trunk = news.slot, news.job.job.trunk
        if not news.events:
            self._began[slot] = (self._clock(), news.job.fit.devices_on(news.slot_type))
            self._steps.pop(slot, None)
        for event in news.events:
            if isinstance(event, Skipped):  # of a checkpoint that is not gone on from
                continue
            before = self._steps.get(slot, event.step)  # the first event says where the job goes on from
            if isinstance(event, Progress | Checkpoint | Done):
                self._flops += training_flops(trunk, max(0, event.step - before))
            self._steps[slot] = max(before, event.step)
        if news.ended:
            began, devices = self._began.pop(slot)
            self._device_seconds += (self._clock() - began) * devices

    @property
    def flops(self) -> float:
        """The training FLOPs of all steps so far, those that were done again included."""
        return self._flops

    @property
    def device_hours(self) -> float:
        """The hours on devices so far, those of running jobs included."""
        now = self._clock()
        running = sum((now - began) * devices for began, devices in self._began.values())
        return (self._device_seconds + running) / 3600

    def reached(self) -> str:
        """The cap that is reached, in the words that runs are stopped with; empty while there is none."""
        if self.flops >= self.caps.max_flops:
            return f"limits.max_flops is reached: {flops(self.caps.max_flops)} FLOPs"
        if self.device_hours >= self.caps.max_device_hours:
            return f"{self.caps.hours_key} is reached: {hours(self.caps.max_device_hours)} device-hours"
        return ""
