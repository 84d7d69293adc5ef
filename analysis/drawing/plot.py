"""What a figure is made of: the subject that it shows, the plot that draws it, and the drawing with its data."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import written_as_known
from scalectl.analysis.drawing.sheet import SUFFIXES, png, write
from scalectl.analysis.report import Fitted


@dataclass(frozen=True, eq=False)
class Subject:
    """What a figure shows: runs, a metric over the column `x`, and the law or the note that says why there is none."""

    points: pd.DataFrame
    metric: str
    x: str
    fit: Fitted | None = None
    note: str = ""
    curves: pd.DataFrame | None = None  # the training curves of the runs, for plots of curves
    curve: str = "loss"  # which of their columns
    hold_out: Collection[str] = ()  # the ids of runs that no law is fitted to
    fitting: Mapping[str, Any] = field(default_factory=dict)  # what laws are fitted with beside: options of `fit`


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure with the data that it shows, which a notebook shows as a picture."""

    figure: Figure
    data: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Write the figure in the format of the suffix, and beside it its data as JSON; folders are made.

        Raises Refused for a suffix that is not one of SUFFIXES, and where the place of the data has another file.
        """
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise Refused(f"{path}: figures are {', '.join(SUFFIXES)}.")
        beside = path.with_suffix(".json")
        if beside.exists() and not _is_of_a_figure(beside):
            raise Refused(f"{beside} is no figure's data, and those of {path} would replace it: give another name.")
        write(self.figure, path)
        beside.write_text(written_as_known(dict(self.data)) + "\n")

    def _repr_png_(self) -> bytes:
        return png(self.figure)


def _is_of_a_figure(path: Path) -> bool:
    """Whether a file is empty, as one that a full disk cut off, or begins as the data beside every figure do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(100).split()
    return not start or start[:2] == [b"{", b'"figure":']


@dataclass(frozen=True)
class Option:
    """An option of a figure: a word for its command and a keyword of its function; a switch unless it has a value."""

    name: str
    purpose: str
    value: str = ""  # what stands for the value in the help


@dataclass(frozen=True)
class Plot:
    """A figure by name: a function of a subject and of the options, which raises Refused where the runs can't carry it.

    One of `curves` shows a column of the training curves in place of the metric. `fixed` are the fields of a Look that
    it can't have another way, and `columns` those of the points that it shows besides the names and states of runs.
    """

    draw: Callable[..., Drawing]
    options: tuple[Option, ...] = ()
    curves: bool = False
    fixed: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
