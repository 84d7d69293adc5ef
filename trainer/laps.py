"""Where a job's time goes, every second of it once."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from scalectl.trainer.events import Spent
from scalectl.trainer.step import Programs

Lap = Literal["begin", "train", "evaluate", "save"]


@dataclass
class Laps:
    """A stopwatch that runs from when it is made; the compilations of `programs` are a lap of their own."""

    programs: Programs
    _since: float = field(default_factory=time.perf_counter)
    _compiled: float = 0.0
    _seconds: defaultdict[Lap, float] = field(default_factory=lambda: defaultdict(float))

    def end(self, lap: Lap) -> None:
        """Put down the time since the last call as that of `lap`."""
        now, compiled = time.perf_counter(), self.programs.compile_seconds
        self._seconds[lap] += now - self._since - (compiled - self._compiled)
        self._since, self._compiled = now, compiled

    def spent(self, step: int) -> Spent:
        """Return the laps up to the last call of `end`."""
        seconds = self._seconds
        return Spent(step, seconds["begin"], self._compiled, seconds["train"], seconds["evaluate"], seconds["save"])
