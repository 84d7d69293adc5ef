"""What every backend gets: batches of events, slots that are watched, and machines that are left in time."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from scalectl.orchestrator.cluster.base import Backend, Batch, Cluster, Lost
from scalectl.orchestrator.cluster.worker import preempted
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.claim import claim
from scalectl.trainer.data.storage import remote
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

    def late(self, seconds: float) -> list[str]:
        """The slots that are waited for since so many seconds."""
        return [slot for slot in self.absent() if self._vigils[slot].silent > seconds]

    def excuse(self, slot: str, seconds: float) -> None:
        """Let a slot be waited for since no more than so many seconds."""
        self._vigils[slot].silent = min(self._vigils[slot].silent, seconds)

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
LEAVE_SECONDS = 30.0  # that jobs have for their checkpoints once the place is lost; Ray ends what is left after 60


class Supervisor(Cluster):
    """A backend as a Cluster.

    A worker that reports nothing for longer than `patience` allows is killed, and so is one that was pre-empted. A slot
    that others hold is waited for without an end. Signs of life are for the watch alone.
    """

    def __init__(self, backend: Backend, patience: Patience | None = None) -> None:
        self.backend = backend
        self._most: dict[str, int] = {}  # slots of a type that are used, where not all are
        self._watch = Watch(patience or Patience())
        self._leaving: set[str] = set()  # slots whose jobs were asked to leave a machine that is taken away
        self._stopped: set[str] = set()  # slots whose jobs were asked to stop
        self._waiting = ""
        self._lost, self._lost_since = "", 0.0

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that there are by now, at most as many of a type as were last set."""
        used, slots = Counter[str](), []
        for slot in sorted(self.backend.slots, key=lambda slot: slot not in self._watch.slots):
            kind = self.types.get(slot, CPU)
            used[kind] += 1
            if used[kind] <= self._most.get(kind, len(self.backend.slots)):
                slots.append(slot)
        return tuple(slot for slot in self.backend.slots if slot in slots)

    @slots.setter
    def slots(self, names: Collection[str]) -> None:
        used = Counter(self.types.get(slot, CPU) for slot in names)
        present = Counter(self.types.get(slot, CPU) for slot in self.backend.slots)
        self._most |= {kind: used[kind] for kind, number in present.items() if used[kind] < number}

    @property
    def types(self) -> Mapping[str, str]:  # type: ignore[override]
        """The types of slots that are more than a CPU worker."""
        return self.backend.types

    @property
    def waiting(self) -> str:
        """What its slots are waited for that have a job and no worker yet, because others hold it; or nothing."""
        return self._waiting

    @property
    def lost(self) -> str:
        """Why nothing can be started any more; empty while all is well."""
        return self._lost

    def notices(self) -> list[str]:
        """What a person has to know of its nodes, a sentence each, since this was last asked."""
        return self.backend.notices()

    def admit(self, artifacts: str) -> None:
        """Leave out machines that can't run jobs; raises Refusal where one doesn't see the folder of artifacts."""
        self.backend.admit(artifacts)

    def start(self, slot: str, job: Job) -> None:
        """Begin a job on a free slot, as the one attempt at it that may write its checkpoints."""
        self._watch.begin(slot, job)
        self._stopped.discard(slot)
        self.backend.start(slot, replace(job, token=_claimed(job.folder)))

    def events(self, timeout: float) -> list[Batch]:
        """The news of the slots; a job whose worker is gone, or is killed for its silence, ends with Failed."""
        heard = [(slot, self._hear(slot, report)) for slot, report in self.backend.events(timeout)]
        for slot in self._watch.absent():
            if self.backend.present(slot):
                self._watch.acquire(slot)
        self._note_loss()
        if self._lost:
            heard += self._given_up({slot for slot, _ in heard})
        else:
            self._leave()
            heard += self._wait()
            silent = self._watch.overdue().keys() - {slot for slot, _ in heard}
            heard += [(slot, [self._overdue(slot)]) for slot in sorted(silent)]
            self.backend.follow()
        return [(slot, batch) for slot, batch in heard if batch]

    def _note_loss(self) -> None:
        if not self._lost and self.backend.lost:
            self._lost, self._lost_since = self.backend.lost, time.monotonic()

    def _given_up(self, heard: Collection[str]) -> list[Batch]:
        """The ends of jobs that have no worker, or have left no checkpoint in time, after the place was lost."""
        slots = {*self._watch.absent()}
        if time.monotonic() - self._lost_since >= LEAVE_SECONDS:
            slots = self._watch.slots
        return [(slot, [self._lose(slot, Lost(self._lost))]) for slot in sorted(slots - {*heard})]

    def _wait(self) -> list[Batch]:
        """Make room for slots that are waited for, and wait longer for those of which others hold the place.

        Returns the ends of jobs that were asked to stop before they had a worker.
        """
        reasons: list[str] = []
        patience = min(2 * ROOM_SECONDS, self._watch.patience.acquire / 2)  # that a worker may take to start
        if late := self._watch.late(min(ROOM_SECONDS, patience)):
            self.backend.make_room()
        ended = [(slot, self._withdrawn(slot)) for slot in late if slot in self._stopped]
        for slot in self._watch.late(patience):
            if held := self.backend.held(slot):
                self._watch.excuse(slot, patience)
                reasons.append(f"slot {slot}: {held}")
        self._waiting = ", ".join(reasons[:1])
        if more := reasons[1:]:
            self._waiting += f"; {counted(len(more), 'more slot')} like it"
        return ended

    def _withdrawn(self, slot: str) -> list[Event]:
        step = self._watch.step(slot)
        self._watch.end(slot)
        self._kill(slot)
        return [Stopped(step)]

    def stop(self, slot: str) -> None:
        """Ask the job on a slot to leave a checkpoint and end with Stopped."""
        self._stopped.add(slot)
        self.backend.stop(slot)

    def close(self) -> None:
        """Give everything back; running jobs are killed."""
        self.backend.close()

    def _hear(self, slot: str, report: list[Event] | Lost) -> list[Event]:
        if isinstance(report, Lost):
            return [self._lose(slot, report)]
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

    def _lose(self, slot: str, loss: Lost) -> Failed:
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
        reason = f"no worker for slot {slot} in {silent:,.0f} s: {self.backend.inventory(slot)}"
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


def _claimed(folder: str) -> str:
    """The token of a new attempt; none where the folder can't be written, which the first checkpoint will say."""
    try:
        return claim(folder)
    except Exception as error:
        if isinstance(error, OSError) or remote(folder):  # whose libraries have errors of their own
            return ""
        raise
