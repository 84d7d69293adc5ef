"""How fast a job trains, from the times in which its dispatches were told."""

from collections import deque

DISPATCHES = 16  # that a speed is the mean of


class Speed:
    """The mean speed of the last dispatches.

    A dispatch is told while the next one runs. So the time of a job's first one holds the wait for two batches and for
    the readers to start, and the time of one that is told at once, before a checkpoint, holds no such wait at all: by
    itself it would seem many times too fast. The first counts only until another is there.
    """

    def __init__(self) -> None:
        self._told: deque[tuple[int, float]] = deque(maxlen=DISPATCHES + 1)

    def over(self, steps: int, seconds: float) -> tuple[int, float]:
        """Return the steps and seconds to take for the speed, once a dispatch of these is told."""
        self._told.append((steps, seconds))
        steady = list(self._told)[1:] or self._told
        return sum(steps for steps, _ in steady), sum(seconds for _, seconds in steady)
