"""Where a job's time goes, every second of it once, and how fast it trains."""

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

from scalectl.trainer.events import Spent
from scalectl.trainer.programs import Programs

Lap = Literal["begin", "train", "input", "evaluate", "save"]
DISPATCHES = 16  # that a speed is the mean of


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

    def waited(self, seconds: float) -> None:
        """Put down so much of the time since the last call of `end` as that of waiting for images."""
        self._seconds["input"] += seconds
        self._since += seconds

    def spent(self, step: int) -> Spent:
        """The laps up to the last call of `end`."""
        seconds = self._seconds
        beside = (seconds["evaluate"], seconds["save"], seconds["input"])
        return Spent(step, seconds["begin"], self._compiled, seconds["train"], *beside)


class Speed:
    """The mean speed of the last dispatches.

    A dispatch is told while the next one runs. So the time of a job's first one holds the wait for two batches and for
    the readers to start, and the time of one that is told at once, before a checkpoint, holds no such wait at all: by
    itself it would seem many times too fast. The first counts only until another is there.
    """

    def __init__(self) -> None:
        self._dispatches: deque[tuple[int, float]] = deque(maxlen=DISPATCHES + 1)

    def over(self, steps: int, seconds: float) -> tuple[int, float]:
        """The steps and seconds to take for the speed, once a dispatch of these is told."""
        self._dispatches.append((steps, seconds))
        steady = list(self._dispatches)[1:] or self._dispatches
        return sum(steps for steps, _ in steady), sum(seconds for _, seconds in steady)
