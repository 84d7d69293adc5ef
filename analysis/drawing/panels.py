"""The panels of the frontier figure, each drawn on axes that it is given."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing.style import (
    FAINT,
    INK,
    SMALL,
    STAR,
    TEXT,
    Marks,
    axis_of_compute,
    axis_of_errors,
    axis_of_sizes,
    literal,
    share,
)
from analysis.drawing.trunks import trunks
from analysis.laws import Floats
from analysis.report import Fitted
from analysis.runs import UNITS, frontier, usable

FLOOR = 0.25  # a floor below this share of the end of the law is not drawn: it would squeeze all else
AHEAD = 10.0  # the law is drawn up to this many times the largest compute of all runs
HELD_OUT: dict[str, Any] = {"marker": "*", "color": STAR, "edgecolor": INK, "linewidth": 0.5, "s": 60, "zorder": 7}
BEYOND = (0, (4, 2))  # dashes
_RING: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.7, "zorder": 5}
_NAMES = {"flops": "Training compute", "device_seconds": "Training time", "core_days": "Training compute"}
_NAMES |= {"images_seen": "Images seen", "data_size": "Training set"}


def reach(runs: pd.DataFrame, compute: str) -> Floats:
    """Return the compute at which the law is drawn: from the cheapest run to ten times the dearest."""
    return np.geomspace(runs[compute].min(), AHEAD * runs[compute].max(), 300)


def draw_runs(
    axes: Axes, points: pd.DataFrame, metric: str, compute: str, marks: Marks, fit: Fitted | None = None
) -> None:
    """Draw every run, lines that join those of one trunk, and rings around the frontier that the law is fitted to.

    Raises Refused when no run is done and measured.
    """
    runs, factor = usable(points, metric, compute), share(metric)
    draw_trunks(axes, points, runs, metric, compute, marks)
    draw_dots(axes, runs, runs[compute], metric, marks)
    front = frontier(runs, metric, compute) if fit is None else fit.frontier
    axes.scatter(front[compute], front[metric] * factor, s=marks.area(front) + 10, **_RING)
    for run in fit.held_out if fit else ():
        axes.scatter(run.compute, run.got * factor, **HELD_OUT)
    label_error(axes, metric)
    label_compute(axes, compute)
    xs, lowest = reach(runs, compute), least(runs, metric)
    axis_of_compute(axes, xs[0] / 1.6, xs[-1] if fit else runs[compute].max() * 1.6)
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
    axes.set_ylabel(literal(f"{metric} (%)" if share(metric) == 100 else metric), fontsize=TEXT)


def label_compute(axes: Axes, compute: str) -> None:
    """Name the x axis."""
    axes.set_xlabel(f"{_NAMES[compute]} ({UNITS[compute]})", fontsize=TEXT)


def least(runs: pd.DataFrame, metric: str) -> float:
    """Return the least error that a logarithmic axis can show."""
    return float(runs[metric][runs[metric] > 0].min()) if (runs[metric] > 0).any() else 1e-3


def top_of(runs: pd.DataFrame, metric: str) -> float:
    """Return where an axis of errors ends: a little above the worst run, and hardly above 100 %."""
    worst = max(float(runs[metric].max()), least(runs, metric)) * share(metric)
    return min(1.12 * worst, max(99.0, 1.06 * worst)) if share(metric) == 100 else 1.12 * worst


def draw_law(axes: Axes, fit: Fitted, across: Floats) -> None:
    """Draw the law at the compute `across`, dashed beyond its points, with its 90 % band and its floor."""
    factor = share(fit.metric)
    low, high = fit.band(across)
    first, last = (float(fit.frontier[fit.compute].iloc[n]) for n in (0, -1))
    axes.fill_between(across, low * factor, high * factor, color=INK, alpha=0.13, linewidth=0, zorder=1)
    inside = np.geomspace(first, last, 200)
    axes.plot(inside, fit.law(inside) * factor, color=INK, linewidth=1.2, zorder=6)
    for beyond in (across[across < first], across[across > last]):
        axes.plot(beyond, fit.law(beyond) * factor, color=INK, linewidth=1.0, linestyle=BEYOND, zorder=6)
    bottom, top = axes.get_ylim()
    end = float(fit.law(across[-1]))
    floor = fit.law.floor if fit.law.floor > FLOOR * end else 0.0
    lowest = min(bottom, 0.85 * (floor or max(float(low[-1]), 0.5 * end)) * factor)
    axis_of_errors(axes, lowest, top)
    if floor:
        _floor(axes, fit, factor)


def _floor(axes: Axes, fit: Fitted, factor: float) -> None:
    height = fit.law.floor * factor
    axes.axhline(height, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    axes.annotate(
        f"floor c = {height:.3g}{' %' if factor == 100 else ''}",
        xy=(0.015, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=SMALL,
    )


def draw_best(axes: Axes, runs: pd.DataFrame, metric: str, by: str, marks: Marks) -> pd.DataFrame:
    """Draw the best run of each size, by `params` or `data_size`, among all others, and return these: its limit."""
    factor = share(metric)
    runs = runs.dropna(subset=[by])
    if runs.empty:  # imported runs need not tell it
        axes.set_axis_off()
        return runs
    best = runs.loc[runs.groupby(by)[metric].idxmin()].sort_values(by)
    axes.scatter(runs[by], runs[metric] * factor, s=4, color=FAINT, linewidth=0, zorder=2)
    lower = best[best[metric] <= best[metric].cummin()]
    axes.plot(lower[by], lower[metric] * factor, color=INK, linewidth=0.9, zorder=3)
    draw_dots(axes, best, best[by], metric, marks)
    low = least(runs, metric)
    axis_of_sizes(axes, best[by].tolist())
    axis_of_errors(axes, low * factor / 1.25, max(best[metric].max(), low) * factor * 1.6)
    return best
