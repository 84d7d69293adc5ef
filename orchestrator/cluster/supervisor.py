"""What every backend gets: batches of events, slots that are watched, and machines that are left in time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scalectl.orchestrator.cluster.base import Backend, Batch, Lost
from scalectl.orchestrator.cluster.worker import preempted
from scalectl.trainer.events import Alive, Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job

SLOW_SECONDS = 1800.0  # to begin, to compile, to evaluate: silent phases, beyond the stall limit
LISTENING_SECONDS = 5.0  # at most, between two looks; any more is a launcher that was held up itself


@dataclass(frozen=True)
class Patience:
    """How many seconds a slot may be waited for (`acquire`), and how many its job may report nothing (`stall`)."""

    stall: float = 600.0
    acquire: float = 600.0


@dataclass
class _Vigil:
    job: Job
    step: int
    acquired: bool = False
    trains: bool = False
    silent: float = 0.0  # seconds
    longest: float = 0.0  # that it was silent between two dispatches, and went on


@dataclass
class Watch:
    """The slots whose jobs run, and for how long each has reported nothing while somebody listened."""

    patience: Patience
    clock: Callable[[], float] = time.monotonic
    _vigils: dict[str, _Vigil] = field(default_factory=dict)
    _looked: float = 0.0

    def begin(self, slot: str, job: Job) -> None:
        """Wait for a slot, and then for the first sign of its job."""
        if not self._vigils:
            self._looked = self.clock()
        self._vigils[slot] = _Vigil(job, job.start)

    def acquire(self, slot: str) -> None:
        """Note that the slot is there; its job begins."""
        vigil = self._vigils[slot]
        vigil.acquired, vigil.silent = True, 0.0

    def hear(self, slot: str, step: int, *, trains: bool) -> None:
        """Note a sign of life at `step`; `trains` says whether that was a step, not only a word before the first."""
        vigil = self._vigils[slot]
        if vigil.trains:
            vigil.longest = max(vigil.longest, vigil.silent)
        vigil.acquired, vigil.trains = True, (vigil.trains or trains) and step < vigil.job.stop
        vigil.step, vigil.silent = step, 0.0

    def end(self, slot: str) -> None:
        """Watch a slot no longer."""
        del self._vigils[slot]

    @property
    def slots(self) -> set[str]:
        """The slots that are watched."""
        return set(self._vigils)

    def step(self, slot: str) -> int:
        """The last step that the job of a slot reported."""
        return self._vigils[slot].step

    def silent(self, slot: str) -> float:
        """The seconds for which a slot has reported nothing."""
        return self._vigils[slot].silent

    def acquired(self, slot: str) -> bool:
        """Whether the slot is there at all."""
        return self._vigils[slot].acquired

    def absent(self) -> list[str]:
        """The slots that are waited for."""
        return [slot for slot, vigil in self._vigils.items() if not vigil.acquired]

    def waits(self, seconds: float) -> bool:
        """Whether a slot is waited for since so many seconds."""
        return any(self._vigils[slot].silent > seconds for slot in self.absent())

    def overdue(self) -> dict[str, float]:
        """The slots that have reported nothing for longer than they may, with those seconds."""
        now = self.clock()
        passed, self._looked = min(now - self._looked, LISTENING_SECONDS), now
        for vigil in self._vigils.values():
            vigil.silent += passed
        return {slot: vigil.silent for slot, vigil in self._vigils.items() if vigil.silent > self._limit(vigil)}

    def _limit(self, vigil: _Vigil) -> float:
        """The seconds of silence that are too many: the stall limit beyond what such a phase takes."""
        if not vigil.acquired:
            return self.patience.acquire
        if vigil.trains:
            return self.patience.stall + vigil.longest
        return self.patience.stall + SLOW_SECONDS


ROOM_SECONDS = 10.0  # that a slot may be waited for before idle workers end: longer than a worker takes to be there


class Supervisor:
    """A backend as a Cluster.

    A worker that reports nothing for longer than `patience` allows is killed, and so is one that was pre-empted. Signs
    of life are for the watch alone.
    """

    def __init__(self, backend: Backend, patience: Patience | None = None) -> None:
        self.backend = backend
        self.slots: tuple[str, ...] = backend.slots
        self.types: Mapping[str, str] = backend.types
        self._watch = Watch(patience or Patience())
        self._leaving: set[str] = set()  # slots whose jobs were asked to leave a machine that is taken away

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on a free slot."""
        self._watch.begin(slot, job)
        self.backend.start(slot, job)

    def events(self, timeout: float) -> list[Batch]:
        """The news of the slots; a job whose worker is gone, or is killed for its silence, ends with Failed."""
        heard = [(slot, self._hear(slot, report)) for slot, report in self.backend.events(timeout)]
        for slot in self._watch.absent():
            if self.backend.present(slot):
                self._watch.acquire(slot)
        self._leave()
        if self._watch.waits(ROOM_SECONDS):
            self.backend.make_room()
        silent = self._watch.overdue().keys() - {slot for slot, _ in heard}
        heard += [(slot, [self._overdue(slot)]) for slot in sorted(silent)]
        return [(slot, batch) for slot, batch in heard if batch]

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        self.backend.stop(slot)

    def close(self) -> None:
        """Give everything back; running jobs are killed."""
        self.backend.close()

    def _hear(self, slot: str, report: list[Event] | Lost) -> list[Event]:
        if isinstance(report, Lost):
            return [self._lost(slot, report)]
        last = report[-1]
        if isinstance(last, Done | Stopped | Failed):
            report = self._ended(slot, report)
        else:
            self._watch.hear(slot, last.step, trains=any(isinstance(event, Alive) for event in report))
        return [event for event in report if not isinstance(event, Alive)]

    def _ended(self, slot: str, batch: list[Event]) -> list[Event]:
        self._watch.end(slot)
        if slot in self._leaving:
            batch = preempted(batch, "its node is being drained")
        end = batch[-1]
        if slot in self._leaving or (isinstance(end, Failed) and end.kind == "preempted"):
            self._kill(slot)
        return batch

    def _lost(self, slot: str, loss: Lost) -> Failed:
        step, kind = self._watch.step(slot), loss.kind
        if kind == "node_lost" and slot in self._leaving:
            kind = "preempted"
        self._watch.end(slot)
        self._leaving.discard(slot)
        return Failed(kind, step, loss.reason)

    def _overdue(self, slot: str) -> Failed:
        step, silent, present = self._watch.step(slot), self._watch.silent(slot), self._watch.acquired(slot)
        self._watch.end(slot)
        self._kill(slot)
        if present:
            return Failed("stalled", step, f"slot {slot} reported nothing for {silent:,.0f} s; its worker was killed")
        reason = f"no worker for slot {slot} in {silent:,.0f} s: {self.backend.inventory()}"
        return Failed("no_capacity", step, reason)

    def _kill(self, slot: str) -> None:
        self._leaving.discard(slot)
        self.backend.kill(slot)

    def _leave(self) -> None:
        """Ask the jobs on machines that will be taken away to leave a checkpoint and end."""
        for slot in self.backend.draining():
            if slot in self._watch.slots and slot not in self._leaving:
                self._leaving.add(slot)
                self.backend.stop(slot)
