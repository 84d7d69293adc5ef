"""The panels of the frontier figure, each drawn on axes that it is given."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scalectl.analysis.drawing.style import (
    FAINT,
    INK,
    SMALL,
    STAR,
    TEXT,
    Marks,
    axis_of_compute,
    axis_of_errors,
    axis_of_sizes,
    error_label,
    share,
)
from scalectl.analysis.drawing.trunks import trunks
from scalectl.analysis.law import Floats
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import frontier, usable
from scalectl.analysis.vocabulary import AXES

FLOOR = 0.25  # a floor below this share of the end of the law is not drawn: it would squeeze all else
AHEAD = 10.0  # the law is drawn up to this many times the largest compute of all runs
HELD_OUT: dict[str, Any] = {"marker": "*", "color": STAR, "edgecolor": INK, "linewidth": 0.5, "s": 60, "zorder": 7}
BEYOND = (0, (4, 2))  # dashes
_RING: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.7, "zorder": 5}
LIMITS = {"params": "Model size (parameters)", "data_size": "Distinct training images"}
_OF_EACH = {"params": "best run of each model size", "data_size": "best run of each data size"}


def reach(runs: pd.DataFrame, x: str) -> Floats:
    """The compute at which the law is drawn: from the cheapest run to ten times the dearest."""
    return np.geomspace(runs[x].min(), AHEAD * runs[x].max(), 300)


def draw_runs(axes: Axes, points: pd.DataFrame, metric: str, x: str, marks: Marks, fit: Fitted | None = None) -> None:
    """Draw every run, lines that join those of one trunk, and rings around the frontier that the law is fitted to.

    Raises Refused when no run is done and measured.
    """
    runs, factor = usable(points, metric, x), share(metric)
    draw_trunks(axes, points, runs, metric, x, marks)
    draw_dots(axes, runs, runs[x], metric, marks)
    if fit:
        front, held_out, last = fit.frontier, fit.held_out, reach(runs, x)[-1]
    else:
        front, held_out, last = frontier(runs, metric, x), (), runs[x].max() * 1.6
    axes.scatter(front[x], front[metric] * factor, s=marks.area(front) + 10, **_RING)
    for run in held_out:
        axes.scatter(run.compute, run.got * factor, **HELD_OUT)
    label_error(axes, metric)
    label_compute(axes, x)
    lowest = least(runs, metric)
    axis_of_compute(axes, reach(runs, x)[0] / 1.6, last)
    axis_of_errors(axes, lowest * factor / 1.35, top_of(runs, metric))


def draw_trunks(axes: Axes, points: pd.DataFrame, runs: pd.DataFrame, metric: str, across: str, marks: Marks) -> None:
    """Draw a thin line through the ends of each trunk, in the colour of its model."""
    for model, xs, ys in trunks(points, runs, metric, across):
        if model in marks.colours:
            axes.plot(xs, ys * share(metric), color=marks.colours[model], linewidth=0.5, alpha=0.6, zorder=2)


def draw_dots(axes: Axes, runs: pd.DataFrame, across: pd.Series, metric: str, marks: Marks) -> None:
    """Draw a dot for each run, in the colour of its model and with the area of its data size."""
    axes.scatter(
        across,
        runs[metric] * share(metric),
        s=marks.area(runs),
        color=runs["model"].map(marks.colours).tolist(),
        edgecolor="white",
        linewidth=0.3,
        zorder=4,
    )


def label_error(axes: Axes, metric: str) -> None:
    """Name the y axis."""
    axes.set_ylabel(error_label(metric), fontsize=TEXT)


def label_compute(axes: Axes, x: str) -> None:
    """Name the x axis."""
    axes.set_xlabel(f"{AXES[x].label} ({AXES[x].unit})", fontsize=TEXT)


def least(runs: pd.DataFrame, metric: str) -> float:
    """The least error that a logarithmic axis can show."""
    positive = runs[metric][runs[metric] > 0]
    if positive.empty:
        return 1e-3
    return float(positive.min())


def top_of(runs: pd.DataFrame, metric: str) -> float:
    """Where an axis of errors ends: a little above the worst run, and hardly above 100 %."""
    worst = max(float(runs[metric].max()), least(runs, metric)) * share(metric)
    if share(metric) == 100:
        return min(1.12 * worst, max(99.0, 1.06 * worst))
    return 1.12 * worst


def draw_law(axes: Axes, fit: Fitted, across: Floats) -> None:
    """Draw the law at the compute `across`, dashed beyond its points, with its 90 % band and its floor."""
    factor = share(fit.metric)
    low, high = fit.band(across)
    first, last = (float(fit.frontier[fit.x].iloc[n]) for n in (0, -1))
    axes.fill_between(across, low * factor, high * factor, color=INK, alpha=0.13, linewidth=0, zorder=1)
    inside = np.geomspace(first, last, 200)
    axes.plot(inside, fit.law(inside) * factor, color=INK, linewidth=1.2, zorder=6)
    for beyond in (across[across < first], across[across > last]):
        axes.plot(beyond, fit.law(beyond) * factor, color=INK, linewidth=1.0, linestyle=BEYOND, zorder=6)
    bottom, top = axes.get_ylim()
    end = float(fit.law(across[-1]))
    floor = 0.0
    if fit.law.floor > FLOOR * end:
        floor = fit.law.floor
    lowest = min(bottom, 0.85 * (floor or max(float(low[-1]), 0.5 * end)) * factor)
    axis_of_errors(axes, lowest, top)
    if floor:
        _floor(axes, fit, factor)


def _floor(axes: Axes, fit: Fitted, factor: float) -> None:
    height, unit = fit.law.floor * factor, ""
    if factor == 100:
        unit = " %"
    axes.axhline(height, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    axes.annotate(
        f"floor c = {height:.3g}{unit}",
        xy=(0.015, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=SMALL,
    )


def draw_limit(axes: Axes, runs: pd.DataFrame, metric: str, size: str, marks: Marks) -> pd.DataFrame:
    """Draw the best run of each size with the names of the panel, and return these."""
    best = draw_best(axes, runs, metric, size, marks)
    axes.set_xlabel(LIMITS[size], fontsize=TEXT)
    axes.set_title(_OF_EACH[size], fontsize=TEXT, loc="left")
    return best


def draw_best(axes: Axes, runs: pd.DataFrame, metric: str, size: str, marks: Marks) -> pd.DataFrame:
    """Draw the best run of each size, by `params` or `data_size`, among all others, and return these: its limit."""
    factor = share(metric)
    runs = runs.dropna(subset=[size])
    if runs.empty:  # imported runs need not tell it
        axes.set_axis_off()
        return runs
    best = runs.loc[runs.groupby(size)[metric].idxmin()].sort_values(size)
    axes.scatter(runs[size], runs[metric] * factor, s=4, color=FAINT, linewidth=0, zorder=2)
    lower = best[best[metric] <= best[metric].cummin()]
    axes.plot(lower[size], lower[metric] * factor, color=INK, linewidth=0.9, zorder=3)
    draw_dots(axes, best, best[size], metric, marks)
    low = least(runs, metric)
    axis_of_sizes(axes, best[size].tolist())
    axis_of_errors(axes, low * factor / 1.25, max(best[metric].max(), low) * factor * 1.6)
    return best
