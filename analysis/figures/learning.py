"""How the error falls while models train: over images seen, and along each run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing.panels import draw_dots, draw_trunks, label_compute, label_error, least
from analysis.drawing.style import TEXT, Marks, axis_of_compute, axis_of_errors, literal, share
from analysis.refusal import Refused
from analysis.runs import UNITS, is_best, usable

_ROUND = 1.3  # room around the points, as a factor
_BEFORE = 20.0  # curves are shown from this share of the shortest run


def draw_samples(axes: Axes, points: pd.DataFrame, metric: str, marks: Marks) -> pd.DataFrame:
    """Draw the error of every run over images seen, and a line through the best of each model; return these.

    Raises Refused when no run is done and measured.
    """
    runs, factor = usable(points, metric, "images_seen"), share(metric)
    draw_trunks(axes, points, runs, metric, "images_seen", marks)
    draw_dots(axes, runs, runs["images_seen"], metric, marks)
    best = pd.concat(
        [group[is_best(group[metric].to_numpy(float)[None])[0]] for _, group in runs.groupby("model", sort=False)]
    )
    for model, group in best.groupby("model", sort=False):
        axes.plot(group["images_seen"], group[metric] * factor, color=marks.colours[model], linewidth=1.5, zorder=5)
    label_compute(axes, "images_seen")
    axes.set_xlabel("Images seen", fontsize=TEXT)
    label_error(axes, metric)
    axis_of_compute(axes, runs["images_seen"].min() / _ROUND, runs["images_seen"].max() * _ROUND)
    axis_of_errors(axes, least(runs, metric) * factor / _ROUND, runs[metric].max() * factor * 1.1)
    return best


def draw_curves(
    axes: Axes, curves: pd.DataFrame, points: pd.DataFrame, metric: str, compute: str, marks: Marks
) -> pd.DataFrame:
    """Draw a column of the curves of each run of `points` over another; return what is drawn.

    Raises Refused for columns that curves don't have, and where no run has any.
    """
    for name in (metric, compute):
        if name not in curves.columns:
            known = ", ".join(name for name in curves.columns if name not in ("run", "step"))
            raise Refused(f"unknown column {name!r} of a training curve: curves have {known}.")
    drawn = curves.merge(points[["run", "name", "model", "params"]], on="run")
    drawn = drawn[np.isfinite(drawn[metric]) & (drawn[metric] > 0) & (drawn[compute] > 0)]
    if drawn.empty:
        raise Refused(f"no run has a training curve of {metric} over {compute}: imported runs have none.")
    for _, line in drawn.groupby("run", sort=False):
        colour = marks.colours[line["model"].iloc[0]]
        axes.plot(line[compute], line[metric], color=colour, linewidth=0.5, alpha=0.6)
    axes.set_ylabel(literal({"loss": "Training loss"}.get(metric, metric)), fontsize=TEXT)
    axes.set_xlabel(f"Training ({UNITS.get(compute, compute)})", fontsize=TEXT)
    ends = drawn.groupby("run")[compute].max()
    axis_of_compute(axes, ends.min() / _BEFORE, ends.max() * 1.1)
    axis_of_errors(axes, drawn[metric].min() / 1.1, drawn[metric].max() * 1.1)
    return drawn[["run", "name", "step", compute, metric]]
