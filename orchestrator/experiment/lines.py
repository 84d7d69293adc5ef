"""A text by its lines: each is in memory once, however many places point into it."""

from bisect import bisect_right
from itertools import accumulate

from scalectl.orchestrator.errors import Spot


class Lines:
    """The lines of a text from `source`, which turn positions in the text into places."""

    def __init__(self, text: str, source: str) -> None:
        lines = text.split("\n")
        self.source = source
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)]
        self._lines = [line.rstrip("\r") for line in lines]

    def spot(self, start: int, end: int) -> Spot:
        """The place of the text from `start` to `end`, cut at the end of its first line."""
        number = min(bisect_right(self._starts, start), len(self._lines))
        line, column = self._lines[number - 1], start - self._starts[number - 1]
        written = line[column : column + end - start].rstrip()
        return Spot(self.source, number, column + 1, max(1, len(written)), line)
