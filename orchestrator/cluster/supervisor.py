"""What every backend gets: batches of events, slots that are watched, and machines that are left in time."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from scalectl.orchestrator.cluster.base import Backend, Batch, Cluster, Lost
from scalectl.orchestrator.cluster.watch import Patience, Watch
from scalectl.orchestrator.cluster.worker import preempted
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.claim import claim
from scalectl.trainer.data.storage import remote
from scalectl.trainer.events import Alive, Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job

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
        self._placed: dict[str, str] = {}  # slots whose workers have a place and told nothing yet -> where that is
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
        """What its slots are waited for that have a job and no worker yet, and why; or nothing."""
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
        self._placed.pop(slot, None)
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
            if reason := self._reason(slot, patience):
                reasons.append(f"slot {slot}: {reason}")
        self._waiting = ", ".join(reasons[:1])
        if more := reasons[1:]:
            self._waiting += f"; {counted(len(more), 'more slot')} like it"
        return ended

    def _reason(self, slot: str, patience: float) -> str:
        """Why a slot has no worker after so many seconds, in words; nothing where that isn't known."""
        if held := self.backend.held(slot):
            self._placed.pop(slot, None)
            self._watch.excuse(slot, patience)
            return held
        if slot in self._placed:
            return f"it has its place on {self._placed[slot]}, and its worker told nothing yet"
        if place := self.backend.place(slot):
            self._placed[slot] = place
            self._watch.excuse(slot, 0.0)  # from here on its worker alone is waited for
        return ""

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
        why = self.backend.inventory(slot)
        if place := self._placed.get(slot):
            why = f"it had its place on {place}, and its worker told nothing. Look at Ray's logs there"
        return Failed("no_capacity", step, f"no worker for slot {slot} in {silent:,.0f} s: {why}")

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
