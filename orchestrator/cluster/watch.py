"""How long slots are waited for, and how long their jobs may report nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

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
