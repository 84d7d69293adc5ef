"""Draw the training curve of each run; --metric is one of their columns, loss by default."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import rows as cells
from scalectl.analysis.drawing.legends import draw_legend, models
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import TEXT, Marks, axis_of_compute, axis_of_errors, literal
from scalectl.analysis.vocabulary import AXES

_BEFORE = 20.0  # curves are shown from this share of the shortest run


def draw(subject: Subject) -> Drawing:
    """The training curve of each run."""
    if subject.curves is None or subject.curves.empty:
        raise Refused("no run has a training curve: imported runs have none, and others before their first steps.")
    points = subject.points
    figure = sheet(COLUMN, 2.7)
    marks = Marks.of_runs(points[points["run"].isin(subject.curves["run"])])
    drawn = draw_curves(figure.subplots(), subject.curves, points, subject.curve, subject.x, marks)
    draw_legend(figure, {"model": models(marks)})
    return Drawing(figure, {"columns": list(drawn.columns), "rows": cells(drawn)})


def draw_curves(
    axes: Axes, curves: pd.DataFrame, points: pd.DataFrame, metric: str, x: str, marks: Marks
) -> pd.DataFrame:
    """Draw a column of the curves of each run of `points` over the column `x`; return what is drawn.

    Raises Refused for columns that curves don't have, and where no run has any.
    """
    for name in (metric, x):
        if name not in curves.columns:
            known = ", ".join(name for name in curves.columns if name not in ("run", "step"))
            raise Refused(f"unknown column {name!r} of a training curve: curves have {known}.")
    drawn = curves.merge(points[["run", "name", "model", "params"]], on="run")
    drawn = drawn[np.isfinite(drawn[metric]) & (drawn[metric] > 0) & (drawn[x] > 0)]
    if drawn.empty:
        raise Refused(f"no run has a training curve of {metric} over {x}: imported runs have none.")
    for _, line in drawn.groupby("run", sort=False):
        colour = marks.colours[line["model"].iloc[0]]
        axes.plot(line[x], line[metric], color=colour, linewidth=0.5, alpha=0.6)
    axes.set_ylabel(literal({"loss": "Training loss"}.get(metric, metric)), fontsize=TEXT)
    axes.set_xlabel(f"Training ({_unit(x)})", fontsize=TEXT)
    ends = drawn.groupby("run")[x].max()
    axis_of_compute(axes, ends.min() / _BEFORE, ends.max() * 1.1)
    axis_of_errors(axes, drawn[metric].min() / 1.1, drawn[metric].max() * 1.1)
    return drawn[["run", "name", "step", x, metric]]


def _unit(x: str) -> str:
    if x in AXES:
        return AXES[x].unit
    return x


FIGURE = Plot(draw, curves=True)
