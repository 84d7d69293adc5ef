"""The panels of the frontier figure, each drawn on axes that it is given."""

import textwrap
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from scalectl.analysis.counting import counted
from scalectl.analysis.drawing.colours import ink, paper
from scalectl.analysis.drawing.labels import data_name, metric_label, share
from scalectl.analysis.drawing.style import (
    FAINT,
    SMALL,
    STAR,
    TEXT,
    Marks,
    axis_of_compute,
    axis_of_errors,
    axis_of_sizes,
    height,
)
from scalectl.analysis.drawing.trunks import trunks
from scalectl.analysis.law import Floats
from scalectl.analysis.report import AHEAD, Fitted
from scalectl.analysis.runs import best_of_each, frontier, usable
from scalectl.analysis.vocabulary import AXES, FRONTIER, is_accuracy

FLOOR = 0.25  # a floor below this share of the end of the law is not drawn: it would squeeze all else
BEYOND = (0, (4, 2))  # dashes
_RING: dict[str, Any] = {"facecolor": "none", "linewidth": 0.7, "zorder": 5}
_LETTER, _WORD = 0.5, 16  # width of a letter in its height, and the letters that no line of a label is shorter than
_STAR, _SMALL_STAR = 60.0, 24.0  # areas of held-out runs that would be on the frontier, and of the others
LIMITS = {"params": "Model size (parameters)", "data_size": "Distinct training images"}
_OF_EACH = {"params": "best of each model size", "data_size": "best of each data size"}


def reach(runs: pd.DataFrame, x: str) -> Floats:
    """The compute at which the law is drawn: from the cheapest run to ten times the dearest."""
    return np.geomspace(runs[x].min(), AHEAD * runs[x].max(), 300)


def draw_runs(
    axes: Axes,
    points: pd.DataFrame,
    metric: str,
    x: str,
    marks: Marks,
    fit: Fitted | None = None,
    hold_out: Collection[str] = (),
) -> pd.DataFrame:
    """Draw every run, lines that join those of one trunk, and rings around the frontier, which is returned: that of the
    law, or else of the runs whose ids are not in `hold_out`. Those are stars.

    Raises Refused when no run is done and measured.
    """
    runs, factor = usable(points, metric, x), share(metric)
    draw_trunks(axes, points, runs, metric, x, marks)
    stars = runs["run"].isin({*hold_out, *_held_out(fit)})
    draw_dots(axes, runs[~stars], runs[x][~stars], metric, marks)
    front, last = frontier_of(runs[~stars], metric, x, fit), runs[x].max() * 1.6
    if fit:
        last = reach(runs, x)[-1]
    if fit is None or fit.runs == FRONTIER:
        axes.scatter(front[x], front[metric] * factor, s=marks.area(front) + 10, edgecolor=ink(), **_RING)
    for held in (runs[stars & runs["run"].isin(_held_out(fit))], runs[stars & ~runs["run"].isin(_held_out(fit))]):
        draw_stars(axes, held[x], held[metric] * factor, large=held["run"].isin(_held_out(fit)).any())
    label_error(axes, metric, data_name(points))
    label_compute(axes, x)
    lowest = least(runs, metric)
    axis_of_compute(axes, reach(runs, x)[0] / 1.6, last)
    axis_of_errors(axes, lowest * factor / 1.35, top_of(runs, metric))
    note_zeros(axes, runs, metric)
    return front


def frontier_of(runs: pd.DataFrame, metric: str, x: str, fit: Fitted | None) -> pd.DataFrame:
    """The frontier that the law is fitted to, or that of the runs; empty where there is no run."""
    if fit:
        return fit.frontier
    if runs.empty:
        return runs
    return frontier(runs, metric, x)


def _held_out(fit: Fitted | None) -> set[str]:
    if fit is None:
        return set()
    return {run.run for run in fit.held_out}


def draw_stars(axes: Axes, compute: ArrayLike, heights: ArrayLike, *, large: bool = True) -> None:
    """Draw held-out runs, larger where they would be on the frontier."""
    if not len(np.atleast_1d(compute)):
        return
    area = _SMALL_STAR
    if large:
        area = _STAR
    axes.scatter(compute, heights, marker="*", s=area, color=STAR, edgecolor=ink(), linewidth=0.5, zorder=7)


def draw_trunks(axes: Axes, points: pd.DataFrame, runs: pd.DataFrame, metric: str, across: str, marks: Marks) -> None:
    """Draw a thin line through the ends of each trunk, in the colour of its model; one parted line is quick to draw."""
    ends: dict[str, list[Floats]] = {model: [] for model in marks.colours}
    for model, xs, ys in trunks(points, runs, metric, across):
        if model in ends:
            ends[model].append(np.array([[*xs, np.nan], [*ys * share(metric), np.nan]]))
    for model, parts in ends.items():
        if parts:
            axes.plot(*np.concatenate(parts, axis=1), color=marks.colours[model], linewidth=0.4, zorder=2)


def draw_dots(axes: Axes, runs: pd.DataFrame, across: pd.Series, metric: str, marks: Marks) -> None:
    """Draw a dot for each run, in the colour of its model and with the area of its data size."""
    axes.scatter(
        across,
        runs[metric] * share(metric),
        s=marks.area(runs),
        color=runs["model"].map(marks.colours).tolist(),
        edgecolor=paper(),
        linewidth=0.3,
        zorder=4,
    )


def label_error(axes: Axes, metric: str, data: str = "") -> None:
    """Name the y axis; `data` is the name of the study's data set."""
    letters = max(int(height(axes) / (_LETTER * TEXT)), _WORD)
    axes.set_ylabel(textwrap.fill(metric_label(metric, data), letters), fontsize=TEXT)


def label_compute(axes: Axes, x: str) -> None:
    """Name the x axis."""
    axes.set_xlabel(AXES[x].named(), fontsize=TEXT)


def least(runs: pd.DataFrame, metric: str) -> float:
    """The least error that a logarithmic axis can show."""
    positive = runs[metric][runs[metric] > 0]
    if positive.empty:
        return 1e-3
    return float(positive.min())


def note_zeros(axes: Axes, runs: pd.DataFrame, metric: str) -> None:
    """Write into a logarithmic panel how many of its runs have 0 as their metric, which it can't show."""
    zeros = int((runs[metric] == 0).sum())
    if not zeros or axes.get_yscale() != "log":
        return
    text = f"{counted(zeros, 'run')} at 0: not on this axis"
    axes.text(0.015, 0.02, text, transform=axes.transAxes, fontsize=SMALL, zorder=8)


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
    draw_band(axes, across, low * factor, high * factor)
    inside = np.geomspace(first, last, 200)
    axes.plot(inside, fit(inside) * factor, color=ink(), linewidth=1.2, zorder=6)
    for beyond in (across[across < first], across[across > last]):
        axes.plot(beyond, fit(beyond) * factor, color=ink(), linewidth=1.0, linestyle=BEYOND, zorder=6)
    bottom, top = axes.get_ylim()
    end = float(fit(across[-1]))
    floor = 0.0
    if FLOOR * end < fit.law.floor <= end or _is_above_best(fit):  # an average of laws may go below the floor of one
        floor = fit.law.floor
    lowest = min(bottom, 0.85 * (floor or max(float(low[-1]), 0.5 * end)) * factor)
    axis_of_errors(axes, lowest, top)
    if floor:
        _floor(axes, fit, factor)


def draw_band(axes: Axes, across: Floats, low: Floats, high: Floats) -> None:
    """Draw an interval at each compute, pale between its two ends."""
    axes.fill_between(across, low, high, color=ink(), alpha=0.13, linewidth=0, zorder=1)
    for end in (low, high):
        axes.plot(across, end, color=FAINT, linewidth=0.4, zorder=1)


def _is_above_best(fit: Fitted) -> bool:
    """Whether the floor lies above the best run, whose luck that is then."""
    return fit.runs == FRONTIER and bool(0 < fit.frontier[fit.metric].min() < fit.law.floor)


def _floor(axes: Axes, fit: Fitted, factor: float) -> None:
    level, unit = fit.law.floor * factor, ""
    if factor == 100:
        unit = " %"
    above = ""
    if _is_above_best(fit):
        above = ", above the best run"
    axes.axhline(level, color=ink(), linewidth=0.8, linestyle=":", zorder=1)
    axes.annotate(
        f"floor c = {level:.3g}{unit}{above}",
        xy=(0.015, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=SMALL,
    )


def draw_limit(
    axes: Axes, runs: pd.DataFrame, metric: str, size: str, marks: Marks, means: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Draw the best run of each size with the names of the panel, and return these."""
    best = draw_best(axes, runs, metric, size, marks, means)
    axes.set_xlabel(LIMITS[size], fontsize=TEXT)
    axes.set_title(_OF_EACH[size], fontsize=TEXT, loc="left")
    return best


def draw_best(
    axes: Axes, runs: pd.DataFrame, metric: str, size: str, marks: Marks, means: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Draw the best run of each size, by `params` or `data_size`, among all others, and return these: its limit.

    With `means` of seeds the best are chosen from those.
    """
    factor = share(metric)
    runs, chosen = (rows.dropna(subset=[size]) for rows in (runs, runs if means is None else means))
    if chosen.empty:  # imported runs need not tell it
        axes.set_axis_off()
        return chosen
    best = best_of_each(chosen, metric, size)
    axes.scatter(runs[size], runs[metric] * factor, s=4, color=FAINT, linewidth=0, zorder=2)
    better = best[best[metric] <= best[metric].cummin()]
    if is_accuracy(metric):
        better = best[best[metric] >= best[metric].cummax()]
    axes.plot(better[size], better[metric] * factor, color=ink(), linewidth=0.9, zorder=3)
    draw_dots(axes, best, best[size], metric, marks)
    low = least(runs, metric)
    axis_of_sizes(axes, best[size].tolist())
    axis_of_errors(axes, low * factor / 1.25, max(best[metric].max(), low) * factor * 1.6)
    note_zeros(axes, runs, metric)
    return best
