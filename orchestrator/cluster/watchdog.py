"""How long the job of a slot may tell nothing, and how long it has."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scalectl.trainer.spec import Job

SLOW_SECONDS = 1800.0  # for what tells nothing meanwhile, beyond the stall limit: to begin, to compile, to evaluate
LISTENING_SECONDS = 5.0  # at most, between two looks; any more is a launcher that was held up itself


@dataclass(frozen=True)
class Patience:
    """How many seconds a slot may be waited for (`acquire`), and how many its job may tell nothing (`stall`)."""

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
    """The slots whose jobs run, and since when each has told nothing, while somebody listened."""

    patience: Patience
    clock: Callable[[], float] = time.monotonic
    _vigils: dict[str, _Vigil] = field(default_factory=dict)
    _looked: float = 0.0

    def begin(self, slot: str, job: Job) -> None:
        """Wait for a slot that was asked for, and then for the first sign of its job."""
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

    def step(self, slot: str) -> int:
        """Return the last step that the job of a slot told."""
        return self._vigils[slot].step

    def overdue(self) -> dict[str, float]:
        """Return the slots that have told nothing for longer than they may, with those seconds."""
        now = self.clock()
        passed, self._looked = min(now - self._looked, LISTENING_SECONDS), now
        for vigil in self._vigils.values():
            vigil.silent += passed
        return {slot: one.silent for slot, one in self._vigils.items() if one.silent > self._limit(one)}

    def acquired(self, slot: str) -> bool:
        """Return whether the slot is there at all."""
        return self._vigils[slot].acquired

    def waits(self, seconds: float) -> bool:
        """Return whether a slot that was asked for isn't there after so many seconds."""
        return any(not one.acquired and one.silent > seconds for one in self._vigils.values())

    def _limit(self, vigil: _Vigil) -> float:
        """Return the seconds of silence that are too many: the stall limit beyond what such a phase takes."""
        if not vigil.acquired:
            return self.patience.acquire
        return self.patience.stall + (vigil.longest if vigil.trains else SLOW_SECONDS)
