"""Draw the training curve of each run; --metric is one of their columns, loss by default."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import rows as cells
from scalectl.analysis.drawing.colours import Colour, contrast, ink, paper
from scalectl.analysis.drawing.labels import literal
from scalectl.analysis.drawing.legends import draw_legend, models
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import TEXT, Marks, axis_of_compute, axis_of_errors, short
from scalectl.analysis.law import Floats
from scalectl.analysis.runs import among
from scalectl.analysis.smoothing import smoothed
from scalectl.analysis.vocabulary import AXES

Kind: TypeAlias = tuple[str, int]  # the model of a run, and its data size
_LEAST = 3.0  # contrast of a line to the paper
_FEW = 12  # runs up to which measurements are drawn beside their means; those of more hide all means
_MANY, _TOGETHER = 200, 50  # runs up to which each is a line of its own, and as many of others as are one
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (2.2, 1.2)), (0, (1, 1.2)))
_LABELS = {
    "loss": "Training loss",
    "learning_rate": "Learning rate",
    "grad_norm": "Norm of the gradient",
    "images_per_second": "Images per second",
    "flops_per_second": "FLOPs per second",
}
_BEFORE = 20.0  # curves are shown from this share of the shortest run


def draw(subject: Subject) -> Drawing:
    """The training curve of each run."""
    if subject.curves is None:
        raise Refused("give the table of training curves as curves=, for example scalectl.curves('results.db').")
    if subject.curves.empty:
        raise Refused("no run has a training curve: imported runs have none, and others before their first steps.")
    points = subject.points
    figure = sheet(COLUMN, 2.7)
    marks = Marks.of_runs(points[among(points["run"], subject.curves["run"].unique())])
    drawn = draw_curves(figure.subplots(), subject.curves, points, subject.curve, subject.x, marks)
    lengths = {short(size): _line(style) for size, style in reversed(dashes_of(marks).items())}
    kinds = {"mean of neighbours": _line("-")}
    if drawn["run"].nunique() <= _FEW:
        kinds["measured"] = _line("-", 0.3)
    draw_legend(figure, {"model": models(marks), "training images": lengths, "": kinds})
    return Drawing(figure, {"columns": list(drawn.columns), "rows": cells(drawn)})


def _line(dash: Any, width: float = 1.0) -> Line2D:
    return Line2D([], [], color=ink(), linewidth=width, linestyle=dash)


def draw_curves(
    axes: Axes, curves: pd.DataFrame, points: pd.DataFrame, metric: str, x: str, marks: Marks
) -> pd.DataFrame:
    """Draw a column of the curves of each run of `points` over the column `x`, smoothed, of few runs also faintly as
    measured, and dashed by data size; return what is drawn.

    Raises Refused for columns that curves don't have, and where no run has any.
    """
    for name in (metric, x):
        if name not in curves.columns or name == "run":
            known = ", ".join(name for name in curves.columns if name not in ("run", "step"))
            raise Refused(f"unknown column {name!r} of a training curve: curves have {known}.")
    drawn = curves.merge(points[["run", "name", "model", "params", "data_size"]], on="run")
    drawn = drawn[np.isfinite(drawn[metric]) & (drawn[metric] > 0) & (drawn[x] > 0)]
    if drawn.empty:
        raise Refused(f"no run has a training curve of {metric} over {x}: imported runs have none.")
    drawn = drawn.sort_values(["params", "run", x], kind="stable").reset_index(drop=True)
    x_N, y_N = drawn[x].to_numpy(float), drawn[metric].to_numpy(float)
    places = _places_of_runs(drawn)
    smooth_N = np.concatenate([smoothed(x_N[place], y_N[place]) for place in places])
    drawn["smoothed"] = smooth_N
    few, dashes = len(places) <= _FEW, dashes_of(marks)
    kinds = drawn[["model", "data_size"]].iloc[[place.start for place in places]].itertuples(index=False, name=None)
    means = [np.array([x_N[place], smooth_N[place]]) for place in places]
    for number, ((model, size), line) in enumerate(_joined(list(zip(kinds, means, strict=True)))):
        colour = marks.colours[model]
        if few:
            axes.plot(x_N[places[number]], y_N[places[number]], color=faint(colour), linewidth=0.2, zorder=2)
        axes.plot(*line, color=colour, linewidth=1.0, linestyle=dashes.get(size, "-"), zorder=3)
    shown = metric if few else "smoothed"
    axes.set_ylabel(literal(_LABELS.get(metric, metric)), fontsize=TEXT)
    axes.set_xlabel(_along(x), fontsize=TEXT)
    ends = x_N[[place.stop - 1 for place in places]]
    axis_of_compute(axes, ends.min() / _BEFORE, ends.max() * 1.1)
    axis_of_errors(axes, drawn[shown].min() / 1.1, drawn[shown].max() * 1.1)
    return drawn[["run", "name", "step", x, metric, "smoothed"]]


def _places_of_runs(drawn: pd.DataFrame) -> list[slice]:
    """The rows of each run, which are together."""
    run = drawn["run"].to_numpy(object)
    first = [0, *(np.flatnonzero(run[1:] != run[:-1]) + 1).tolist()]
    return list(map(slice, first, [*first[1:], len(run)]))


def _joined(lines: Sequence[tuple[Kind, Floats]]) -> Iterator[tuple[Kind, Floats]]:
    """Yield the lines; of many those of one model and data size as parted ones, which are quicker to draw, with what
    several have in common once.
    """
    if len(lines) <= _MANY:
        yield from lines
        return
    branches: dict[Kind, dict[bytes, list[Floats]]] = {}
    for kind, line in lines:
        branches.setdefault(kind, {}).setdefault(line[:, 0].tobytes(), []).append(line)
    for kind, trunks in branches.items():
        some = [part for group in trunks.values() for part in _parted(group)]
        for first in range(0, len(some), 2 * _TOGETHER):
            yield kind, np.concatenate(some[first : first + 2 * _TOGETHER], axis=1)


def _parted(branches: Sequence[Floats]) -> Iterator[Floats]:
    """Yield the longest line, and of each other one what it has after the last point in common; each with a gap."""
    trunk, *others = sorted(branches, key=np.size, reverse=True)
    gap = np.full((2, 1), np.nan)
    yield from (trunk, gap)
    for line in others:
        differs = (line != trunk[:, : line.shape[1]]).any(axis=0)
        if differs.any():
            yield from (line[:, max(int(differs.argmax()) - 1, 0) :], gap)


def dashes_of(marks: Marks) -> dict[int, Any]:
    """The dashes of each data size: a whole line for the largest, then shorter ones, and dots from the fifth on."""
    return {size: _DASHES[min(place, len(_DASHES) - 1)] for place, size in enumerate(reversed(list(marks.areas)))}


def faint(colour: Colour) -> Colour:
    """A colour paled as far as its contrast to the paper stays 3:1."""
    back = np.array((*to_rgb(paper()), 1.0))
    for paleness in np.linspace(0.9, 0.0, 19):
        red, green, blue, alpha = map(float, paleness * back + (1 - paleness) * np.array(colour))
        if contrast((red, green, blue), paper()) >= _LEAST:
            return red, green, blue, alpha
    return colour


def _along(x: str) -> str:
    """The name of the x axis: how far a run had come, and in what."""
    if x in AXES:
        return AXES[x].named(" so far")
    return f"{literal(x).replace('_', ' ').capitalize()} so far"


FIGURE = Plot(draw, curves=True, columns=("model", "params", "data_size"))
