"""What every backend gets for free: its slots are watched, and jobs leave machines that will be taken away."""

from collections.abc import Mapping

from scalectl.orchestrator.cluster.base import Backend, Batch, Lost
from scalectl.orchestrator.cluster.watchdog import Patience, Watch
from scalectl.orchestrator.cluster.worker import preempted
from scalectl.trainer.events import Alive, Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job

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
