"""What changes around the jobs of a launch: slots that come and go, nodes that are left out, room to wait for."""

import time

from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.format import counted, duration
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.jobs import Board
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import CPU, WAITING, Slot


def slots_of(cluster: Cluster) -> list[Slot]:
    """The slots of a cluster with their types."""
    return [Slot(name, cluster.types.get(name, CPU)) for name in cluster.slots]


STARVED_SECONDS = 5.0  # without a slot, after which that is said


class Surroundings:
    """The surroundings of a launch, which its board, its store, its ledger and its screen follow."""

    def __init__(self, board: Board, records: Records, cluster: Cluster, config: LaunchConfig) -> None:
        self._board, self._records, self._cluster = board, records, cluster
        self._ledger, self._followers = config.ledger, config.followers
        self._hint, self._acquire = config.hint, config.acquire
        self._waiting = ""
        self._starved: float | None = None  # since when there is no slot for what waits

    def follow(self) -> None:
        """Note what has changed, in the store and on the screen too."""
        for text in self._cluster.notices():
            self._records.note("warning", text)
            self._hint(f"warning   {text}")
        if self._cluster.lost and not self._board.halted:
            self._hint(f"stopping  {self._cluster.lost}: running jobs leave their checkpoints")
        self._follow_slots()
        self._follow_waiting()

    def _follow_slots(self) -> None:
        before, slots = self._board.slots, slots_of(self._cluster)
        if slots == before:
            return
        self._board.follow(slots)
        for follower in (lambda slots: self._ledger.follow([slot.name for slot in slots]), *self._followers):
            follower(slots)
        if len(slots) != len(before):
            text = f"{counted(len(slots), 'slot')} now, {len(before)} before"
            self._records.note("slots", text)
            self._hint(f"slots     {text}")

    def _follow_waiting(self) -> None:
        waiting = self._cluster.waiting
        if not waiting and self._starving > STARVED_SECONDS:
            waiting = "no slot of the cluster will do for the jobs that are left"
        if bool(waiting) != bool(self._waiting):
            self._records.note(WAITING, waiting)  # an empty one ends it
            if waiting:
                self._hint(f"waiting   {waiting}")
        self._waiting = waiting

    @property
    def starved(self) -> bool:
        """Whether jobs wait, and there is nothing that they could be placed on."""
        return self._board.ready and not self._board.running

    @property
    def _starving(self) -> float:
        """The seconds for which that has been so."""
        if not self.starved:
            self._starved = None
            return 0.0
        self._starved = self._starved or time.monotonic()
        return time.monotonic() - self._starved

    def exhausted(self) -> str:
        """That there has been no slot for too long, in the words that runs are stopped with; or nothing."""
        if self._starving < self._acquire:
            return ""
        return f"limits.acquire is reached: no slot for the jobs that are left in {duration(self._acquire)}"
