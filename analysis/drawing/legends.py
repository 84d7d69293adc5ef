"""What colours, sizes and lines of a figure mean, below its panels."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.panels import BEYOND
from scalectl.analysis.drawing.style import SMALL, STAR, Marks, ink, literal, paper, short
from scalectl.analysis.report import Fitted

Keys = dict[str, Line2D]

_ROWS = 3  # of a group of dots
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
    """What rings and lines mean, and stars where the law has held-out runs or `stars` says so."""
    return dict(_lines(fit, rings, stars))


def draw_legend(figure: Figure, groups: dict[str, Keys]) -> None:
    """Draw these groups below the panels, side by side as far as there is room, and make the figure as much higher.

    The name of a group stands above it; one without a name is a single row.
    """
    made = [_group(figure, title, keys) for title, keys in groups.items() if keys]
    width, above = figure.get_size_inches()
    _, below = _flow([_inches(figure, legend) for legend in made], width)
    arrange(figure, width, above + below)


def arrange(figure: Figure, width: float, height: float) -> None:
    """Give a figure with or without a legend this size in inches; raises Refused where the legend has no room."""
    made = [artist for artist in figure.artists if isinstance(artist, Legend)]
    boxes = [_inches(figure, legend) for legend in made]
    places, below = _flow(boxes, width)
    needed = (max((wide for wide, _ in boxes), default=0) + 2 * _EDGE, below + _PANELS)
    if width < needed[0] or height < needed[1]:
        least = " x ".join(f"{math.ceil(side * 25.4)}" for side in (max(width, needed[0]), needed[1]))
        raise Refused(
            f"size {width * 25.4:.0f} x {height * 25.4:.0f} mm leaves no room beside the legend: {least} does."
        )
    figure.set_size_inches(width, height)
    if not made:
        return
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, below / height, 1, above / height))
    for legend, (x, y) in zip(made, places, strict=True):
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
    columns = len(keys)
    if title:
        columns = -(-len(keys) // _ROWS)
    legend = Legend(
        figure,
        list(keys.values()),
        [literal(key) for key in keys],
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
    figure.add_artist(legend)
    return legend


def _dot(colour: Any, area: float) -> Line2D:
    return Line2D([], [], color=colour, markersize=area**0.5, markeredgecolor=paper(), **_DOT)


def _lines(fit: Fitted | None, rings: bool, stars: bool) -> Iterator[tuple[str, Line2D]]:
    if rings:
        yield "frontier", Line2D([], [], color=ink(), markersize=5, **_RING)
    if fit:
        yield "law, 90 % band", Line2D([], [], color=ink(), linewidth=1.2)
        yield "extrapolated", Line2D([], [], color=ink(), linewidth=1.0, linestyle=BEYOND)
    if stars or (fit and fit.held_out):
        yield "held out", Line2D([], [], color=STAR, markersize=7, markeredgecolor=ink(), **_STAR)
