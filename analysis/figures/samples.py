"""Draw the error over images seen, with a line for each model."""

import pandas as pd
from matplotlib.axes import Axes

from scalectl.analysis.documents import records
from scalectl.analysis.drawing.compared import compared
from scalectl.analysis.drawing.labels import data_name, share
from scalectl.analysis.drawing.legends import dots, draw_legend, of_lines
from scalectl.analysis.drawing.panels import draw_dots, draw_trunks, label_error, least, note_zeros
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import TEXT, Marks, axis_of_compute, axis_of_errors
from scalectl.analysis.runs import running_best, usable, without

_ROUND = 1.3  # room around the points, as a factor


def draw(subject: Subject) -> Drawing:
    """The error over images seen, with a line for each model."""
    runs = usable(subject.points, subject.metric, "images_seen")
    without(subject.points, subject.hold_out)  # which refuses where none is left
    marks, means = Marks.of_runs(runs), compared(subject, runs, "images_seen")
    figure = sheet(COLUMN, 2.7)
    best = draw_samples(figure.subplots(), subject.points, subject.metric, marks, means)
    draw_legend(figure, dots(marks) | {"": of_lines()})
    return Drawing(figure, {"best": records(best[["run", "name", "seeds", "model", "images_seen", subject.metric]])})


def draw_samples(
    axes: Axes, points: pd.DataFrame, metric: str, marks: Marks, means: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Draw the error of every run over images seen, and a line through the best of each model; return these.

    With `means` of seeds the best are chosen from those. Raises Refused when no run is done and measured.
    """
    runs, factor = usable(points, metric, "images_seen"), share(metric)
    draw_trunks(axes, points, runs, metric, "images_seen", marks)
    draw_dots(axes, runs, runs["images_seen"], metric, marks)
    chosen = runs if means is None else means
    best = pd.concat(
        [running_best(group, metric, "images_seen") for _, group in chosen.groupby("model", sort=False)],
    )
    for model, group in best.groupby("model", sort=False):
        axes.plot(group["images_seen"], group[metric] * factor, color=marks.colours[model], linewidth=1.5, zorder=5)
    axes.set_xlabel("Images seen", fontsize=TEXT)
    label_error(axes, metric, data_name(points))
    axis_of_compute(axes, runs["images_seen"].min() / _ROUND, runs["images_seen"].max() * _ROUND)
    axis_of_errors(axes, least(runs, metric) * factor / _ROUND, runs[metric].max() * factor * 1.1)
    note_zeros(axes, runs, metric)
    return best


FIGURE = Plot(draw, columns=("model", "params", "data_size", "steps", "images_seen"))
