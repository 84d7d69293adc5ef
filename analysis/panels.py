"""The panels of the frontier figure, each drawn on axes that it is given."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from analysis.fitted import Fitted
from analysis.frontier import UNITS, frontier, metrics
from analysis.laws import Floats
from analysis.marks import (
    FAINT,
    INK,
    SMALL,
    STAR,
    TEXT,
    Marks,
    axis_of_compute,
    axis_of_errors,
    axis_of_sizes,
    share,
    short,
)

AHEAD = 10.0  # the law is drawn up to this many times the largest compute of all runs
_RING: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.3}
_RING_KEY: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "markeredgewidth": 1.3}
_STAR: dict[str, Any] = {"marker": "*", "color": STAR, "edgecolor": INK, "linewidth": 0.7}
_STAR_KEY: dict[str, Any] = {"marker": "*", "linestyle": "none", "markeredgecolor": INK, "markeredgewidth": 0.7}
_DOT_KEY: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgecolor": "white", "markeredgewidth": 0.6}
_Corner = Literal["upper left", "upper center", "upper right"]
_NAMES = {"flops": "Training compute", "device_seconds": "Training time", "core_days": "Training compute"}
_NAMES |= {"images_seen": "Images seen", "data_size": "Training set"}
# columns in which the runs of one trunk differ
_OWN = {"run", "name", "study", "state", "excluded", "steps", "cooldown", "images_seen", "flops", "marginal_flops"}
_OWN |= {"device_seconds", "core_days", "digest"}


def reach(runs: pd.DataFrame, compute: str) -> Floats:
    """Return the compute at which the law is drawn: from the cheapest run to ten times the dearest."""
    return np.geomspace(runs[compute].min(), AHEAD * runs[compute].max(), 300)


def draw_runs(axes: Axes, runs: pd.DataFrame, metric: str, compute: str, marks: Marks, fit: Fitted | None) -> None:
    """Draw every run, lines that join those of one trunk, and rings around the frontier that the law is fitted to."""
    factor = share(metric)
    for model, xs, ys in _trunks(runs, metric, compute):
        axes.plot(xs, ys * factor, color=marks.colours[model], linewidth=0.9, alpha=0.55, zorder=2)
    _dots(axes, runs, runs[compute], metric, marks)
    front = frontier(runs, metric, compute) if fit is None else fit.frontier
    area = marks.area(front)
    axes.scatter(front[compute], front[metric] * factor, s=area + 34, zorder=5, **_RING)
    for run in fit.held_out if fit else ():
        axes.scatter(
            run.compute, run.got * factor, s=170, marker="*", color=STAR, edgecolor=INK, linewidth=0.7, zorder=7
        )
    axes.set_ylabel(f"{metric} (%)" if factor == 100 else metric, fontsize=TEXT)
    axes.set_xlabel(f"{_NAMES[compute]} ({UNITS[compute]})", fontsize=TEXT)
    xs, lowest = reach(runs, compute), _lowest(runs, metric)
    axis_of_compute(axes, xs[0] / 1.6, xs[-1] if fit else runs[compute].max() * 1.6)
    axis_of_errors(axes, lowest * factor / 1.35, runs[metric].max() * factor * 1.12)


def _trunks(runs: pd.DataFrame, metric: str, compute: str) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    shared = [name for name in runs.columns if name not in _OWN and name not in metrics(runs)]
    for _, group in runs.groupby(shared, dropna=False):
        yield group["model"].iloc[0], group[compute], group[metric]


def _dots(axes: Axes, runs: pd.DataFrame, across: pd.Series, metric: str, marks: Marks) -> None:
    axes.scatter(
        across,
        runs[metric] * share(metric),
        s=marks.area(runs),
        color=runs["model"].map(marks.colours).tolist(),
        edgecolor="white",
        linewidth=0.6,
        zorder=4,
    )


def _lowest(runs: pd.DataFrame, metric: str) -> float:
    """Return the least error that a logarithmic axis can show."""
    return float(runs[metric][runs[metric] > 0].min()) if (runs[metric] > 0).any() else 1e-3


def draw_law(axes: Axes, fit: Fitted, across: Floats) -> None:
    """Draw the law at the compute `across`, dashed beyond its points, with its 90 % band and its floor."""
    factor = share(fit.metric)
    low, high = fit.band(across)
    first, last = (float(fit.frontier[fit.compute].iloc[n]) for n in (0, -1))
    axes.fill_between(across, low * factor, high * factor, color=INK, alpha=0.13, linewidth=0, zorder=1)
    inside = np.geomspace(first, last, 200)
    axes.plot(inside, fit.law(inside) * factor, color=INK, linewidth=2, zorder=6)
    for beyond in (across[across < first], across[across > last]):
        axes.plot(beyond, fit.law(beyond) * factor, color=INK, linewidth=1.5, linestyle=(0, (4, 2)), zorder=6)
    bottom, top = axes.get_ylim()
    end = float(fit.law(across[-1]))
    floor = fit.law.floor if fit.law.floor > 0.4 * end else 0.0
    lowest = min(bottom, 0.85 * (floor or max(float(low[-1]), 0.5 * end)) * factor)
    axis_of_errors(axes, lowest, min(top, 100 * 1.06) if factor == 100 else top)
    if floor:
        _floor(axes, fit, factor)


def _floor(axes: Axes, fit: Fitted, factor: float) -> None:
    height = fit.law.floor * factor
    axes.axhline(height, color=INK, linewidth=1, linestyle=":", zorder=1)
    axes.annotate(
        f"floor c = {height:.3g}{' %' if factor == 100 else ''}",
        xy=(0.015, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=SMALL,
    )


def draw_best(axes: Axes, runs: pd.DataFrame, metric: str, by: str, marks: Marks) -> None:
    """Draw the best run of each size, by `params` or `data_size`, among all others."""
    factor = share(metric)
    runs = runs.dropna(subset=[by])
    if runs.empty:  # imported runs need not tell it
        axes.set_axis_off()
        return
    best = runs.loc[runs.groupby(by)[metric].idxmin()].sort_values(by)
    axes.scatter(runs[by], runs[metric] * factor, s=14, color=FAINT, linewidth=0, zorder=2)
    lower = best[best[metric] <= best[metric].cummin()]
    axes.plot(lower[by], lower[metric] * factor, color=INK, linewidth=1.3, zorder=3)
    _dots(axes, best, best[by], metric, marks)
    low = _lowest(runs, metric)
    axis_of_sizes(axes, best[by].tolist())
    axis_of_errors(axes, low * factor / 1.25, max(best[metric].max(), low) * factor * 1.6)


def draw_legend(axes: Axes, marks: Marks, fit: Fitted | None) -> None:
    """Draw what colours, sizes and lines mean, on axes of their own."""
    axes.set_axis_off()
    models = [_dot(colour, 70) for colour in marks.colours.values()]
    sizes = [_dot("#8b9097", area) for area in marks.areas.values()]
    _group(axes, "model", models, list(marks.colours), "upper left", 0.0)
    _group(axes, "distinct training images", sizes, [short(size) for size in marks.areas], "upper center", 0.55)
    lines = dict(_lines(fit))
    _group(axes, "", list(lines.values()), list(lines), "upper right", 1.0)


def _group(axes: Axes, title: str, handles: list[Line2D], labels: list[str], where: _Corner, at: float) -> None:
    columns = -(-len(labels) // 3)
    made = Legend(
        axes,
        handles,
        labels,
        title=title or " ",
        loc=where,
        bbox_to_anchor=(at, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        title_fontsize=SMALL,
        alignment="left",
        borderaxespad=0,
        columnspacing=1.4,
        handletextpad=0.6,
    )
    axes.add_artist(made)


def _dot(colour: Any, area: float) -> Line2D:
    return Line2D([], [], color=colour, markersize=area**0.5, **_DOT_KEY)


def _lines(fit: Fitted | None) -> Iterator[tuple[str, Line2D]]:
    yield "on the frontier", Line2D([], [], color=INK, markersize=9, **_RING_KEY)
    if fit:
        yield "law, with 90 % band", Line2D([], [], color=INK, linewidth=2)
        yield "extrapolated", Line2D([], [], color=INK, linewidth=1.5, linestyle=(0, (4, 2)))
    if fit and fit.held_out:
        yield "held out, predicted", Line2D([], [], color=STAR, markersize=12, **_STAR_KEY)
