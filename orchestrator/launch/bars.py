"""How the bars of a launch share the columns of a terminal: no name is cut, and what a bar says loses whole parts."""

from dataclasses import dataclass

from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.table import Column

_NOTE = len("1,000,000/1,000,000  loss 0.123  12,345 img/s")
_MOST, _LEAST = 24, 6  # columns of a bar, below which there is none


@dataclass(frozen=True)
class Layout:
    """The columns of a terminal, and the letters of the longest name on it."""

    width: int
    name: int

    @property
    def bar(self) -> int:
        """The columns of a bar, or 0 where there is no room for one."""
        room = min(_MOST, self.width - self.name - _NOTE - 4)
        if room < _LEAST:
            return 0
        return room

    def columns(self) -> list[ProgressColumn]:
        """What each line shows: a name, a bar and a note."""
        whole = Column(no_wrap=True)
        name = TextColumn(f"  {{task.description:<{self.name}}}", markup=False, table_column=whole)
        note = TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True))
        if not self.bar:
            return [name, note]
        return [name, BarColumn(self.bar), note]

    def note(self, *parts: str) -> str:
        """As many of the parts, from the first one on, as there is room for."""
        room = self.width - self.name - 3
        if self.bar:
            room -= self.bar + 1
        fitting = [n for n in range(1, len(parts) + 1) if len("  ".join(parts[:n])) <= room]
        return "  ".join(parts[: max(fitting, default=1)])
