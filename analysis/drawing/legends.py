"""What colours, sizes and lines of a figure mean, below its panels."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.colours import ink, paper
from scalectl.analysis.drawing.labels import literal
from scalectl.analysis.drawing.panels import BEYOND
from scalectl.analysis.drawing.style import SMALL, STAR, Marks, short
from scalectl.analysis.report import Fitted
from scalectl.analysis.vocabulary import FRONTIER

Keys = dict[str, Line2D]

_ROWS = 3  # of a group of dots
_LETTERS = 40  # of a name
_PANELS = 0.9  # least height of the panels, in inches
_GAP, _EDGE = 0.2, 0.05  # between groups, and around all of them, in inches
_RING: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "markeredgewidth": 0.7}
_STAR: dict[str, Any] = {"marker": "*", "linestyle": "none", "markeredgewidth": 0.5}
_DOT: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgewidth": 0.3}
_GREY = "#8b9097"


def dots(marks: Marks) -> dict[str, Keys]:
    """The legend's groups of what dots mean."""
    return {"model": models(marks), "training images": sizes(marks)}


def models(marks: Marks) -> Keys:
    """The colour of each model, smallest first."""
    return {model: _dot(colour, 22) for model, colour in marks.colours.items()}


def sizes(marks: Marks) -> Keys:
    """The area of each data size."""
    return {short(size): _dot(_GREY, area) for size, area in marks.areas.items()}


def lines(fit: Fitted | None, rings: bool = True, stars: bool = False) -> Keys:
    """What rings and lines mean, and stars where the law has held-out runs or `stars` says so.

    Without rings, as among residuals, the line is the law that they are measured from.
    """
    return dict(_lines(fit, rings, stars))


def of_cuts(*, averaged: bool) -> Keys:
    """What rings, the dashed lines and the bands of a backtest mean, where lines average laws or are one law each."""
    drawn = "laws of cheaper runs averaged" if averaged else "law of the cheaper runs"
    law = Line2D([], [], color=ink(), linewidth=1.0, linestyle=BEYOND)
    return lines(None) | {f"{drawn}, 90 % band": law}


def of_lines() -> Keys:
    """What thick and thin lines through runs mean."""
    widths = {"best of each model": 1.5, "runs of one trunk": 0.5}
    return {word: Line2D([], [], color=_GREY, linewidth=width) for word, width in widths.items()}


def draw_legend(figure: Figure, groups: dict[str, Keys]) -> None:
    """Draw these groups below the panels, side by side as far as there is room, and make the figure as much higher.

    The name of a group stands above it; one without a name is a single row where that has room.
    """
    made = [_group(figure, title, keys) for title, keys in groups.items() if keys]
    width, above = figure.get_size_inches()
    _, below = _flow([_inches(figure, legend) for legend in made], width)
    _place(figure, made, width, above + below)


def arrange(figure: Figure, width: float, height: float) -> None:
    """Give a figure with or without a legend this size in inches; raises Refused where the legend has no room."""
    made = [artist for artist in figure.artists if isinstance(artist, Legend)]
    boxes = [_inches(figure, legend) for legend in made]
    widest = max((wide for wide, _ in boxes), default=0) + 2 * _EDGE
    _, below = _flow(boxes, max(width, widest))
    if width < widest or (made and height < below + _PANELS):
        asked, least = (_size(*sides) for sides in ((width, height), (max(width, widest), below + _PANELS)))
        raise Refused(f"size {asked} mm has no room for the legend: {least} has.")
    _place(figure, made, width, height)


def _size(width: float, height: float) -> str:
    return f"{math.ceil(round(25.4 * width, 3))} x {math.ceil(round(25.4 * height, 3))}"


def _place(figure: Figure, legends: list[Legend], width: float, height: float) -> None:
    """Put the legends below and the panels above on a figure of this size in inches."""
    figure.set_size_inches(width, height)
    if not legends:
        return
    places, below = _flow([_inches(figure, legend) for legend in legends], width)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, below / height, 1, 1 - below / height))
    for legend, (x, y) in zip(legends, places, strict=True):
        legend.set_bbox_to_anchor((x / width, (below - y) / height), figure.transFigure)


def _flow(boxes: Iterable[tuple[float, float]], width: float) -> tuple[list[tuple[float, float]], float]:
    """Where boxes (width, height) go, in rows from the upper left, and the height of all rows."""
    places, x, y, row = list[tuple[float, float]](), _EDGE, _EDGE, 0.0
    for wide, high in boxes:
        if x > _EDGE and x + wide > width - _EDGE:
            x, y, row = _EDGE, y + row + _EDGE, 0.0
        places.append((x, y))
        x, row = x + wide + _GAP, max(row, high)
    return places, y + row + _EDGE


def _inches(figure: Figure, legend: Legend) -> tuple[float, float]:
    box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined] # Agg's has one
    return box.width / figure.dpi, box.height / figure.dpi


def _group(figure: Figure, title: str, keys: Keys) -> Legend:
    """A group in as few rows as have room, from _ROWS on where it has a name."""
    columns = len(keys)
    if title:
        columns = -(-len(keys) // _ROWS)
    while True:
        legend = _legend(figure, title, keys, columns)
        if columns == 1 or _inches(figure, legend)[0] <= figure.get_figwidth() - 2 * _EDGE:
            figure.add_artist(legend)
            return legend
        columns -= 1


def _legend(figure: Figure, title: str, keys: Keys, columns: int) -> Legend:
    legend = Legend(
        figure,
        list(keys.values()),
        [literal(_within(key)) for key in keys],
        title=title or None,
        loc="upper left",
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        title_fontsize=SMALL,
        alignment="left",
        borderaxespad=0,
        borderpad=0,
        columnspacing=0.8,
        handletextpad=0.4,
        handlelength=1.8,
        labelspacing=0.3,
    )
    legend.set_in_layout(False)
    return legend


def _within(name: str) -> str:
    """A name in at most _LETTERS letters, the middle of a longer one left out."""
    if len(name) <= _LETTERS:
        return name
    return f"{name[: _LETTERS // 2]}...{name[-(_LETTERS // 2 - 3) :]}"


def _dot(colour: Any, area: float) -> Line2D:
    return Line2D([], [], color=colour, markersize=area**0.5, markeredgecolor=paper(), **_DOT)


def _lines(fit: Fitted | None, rings: bool, stars: bool) -> Iterator[tuple[str, Line2D]]:
    if rings and (fit is None or fit.runs == FRONTIER):
        yield "frontier", Line2D([], [], color=ink(), markersize=5, **_RING)
    if fit:
        drawn = "law, 90 % band"
        if len(fit.average.members) > 1:
            drawn = "laws averaged, 90 % band" if rings else "law, 90 % band of laws averaged"
        wider = ""
        if fit.average.stretch > 1:
            wider = f", {fit.average.stretch:.2g} x wider"  # as the report says, for a backtest failed
        yield f"{drawn}{wider}", Line2D([], [], color=ink(), linewidth=1.2)
        yield "extrapolated", Line2D([], [], color=ink(), linewidth=1.0, linestyle=BEYOND)
    if stars or (fit and fit.held_out):
        yield "held out", Line2D([], [], color=STAR, markersize=7, markeredgecolor=ink(), **_STAR)
