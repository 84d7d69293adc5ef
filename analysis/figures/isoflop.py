"""Draw the error over model size at each budget, with the best sizes."""

import textwrap
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from scalectl.analysis.budgets import (
    SIZES,
    Budget,
    best_of_sizes,
    budgets,
    isoflop,
    minima_of,
    parabola,
    reasons_of,
    refuse_rise,
    sized,
)
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.colours import ink, paper, shades
from scalectl.analysis.drawing.labels import data_name, literal, share
from scalectl.analysis.drawing.panels import label_error, least, note_zeros
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import SMALL, TEXT, axis_of_compute, axis_of_errors
from scalectl.analysis.drawing.titles import WRAP
from scalectl.analysis.vocabulary import AXES, NEAREST, SEEDS

_WIDE = 6  # letters that a line of reasons takes less, as it has few narrow ones
_LEVELS = 64  # of the scale of colours
_MINIMUM: dict[str, Any] = {"marker": "D", "s": 16, "linewidth": 0.8}


def draw(subject: Subject) -> Drawing:
    """The error over model size at each budget, with the minima."""
    figure = sheet(COLUMN, 2.9)
    axes = figure.subplots()
    points = subject.points[~subject.points["run"].isin(list(subject.hold_out))]
    seeds = subject.fitting.get("seeds", SEEDS[0])
    every, colours = draw_isoflop(axes, points, subject.metric, subject.x, seeds)
    bar = figure.colorbar(colours, ax=axes, pad=0.02)
    bar.set_label(f"budget ({AXES[subject.x].unit})", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL, which="both", width=0.5)
    note = f"{sum(budget.params is not None for budget in every)} minima of {len(every)} budgets"
    if reasons := reasons_of(every):
        note = f"{note} ({'; '.join(reasons)})"
    axes.set_title(literal(textwrap.fill(note, WRAP - _WIDE)), fontsize=SMALL, loc="left")
    with suppress(Refused):  # the intervals of the report hold what parabolas miss, where there are minima enough
        every = list(isoflop(points, subject.metric, subject.x, seeds=seeds).budgets)
    return Drawing(figure, {"budgets": [asdict(budget) for budget in every]})


def draw_isoflop(
    axes: Axes, points: pd.DataFrame, metric: str, x: str, seeds: str = SEEDS[0]
) -> tuple[list[Budget], ScalarMappable]:
    """Draw the best run of each size, or mean of seeds, at each budget of three sizes and more, and the minima; return
    all budgets and the scale of their colours.

    Raises Refused where no budget has the five sizes that a minimum is found from, and for a metric that rises.
    """
    runs, factor = sized(points, metric, x, seeds), share(metric)
    refuse_rise(runs, metric, x)
    groups = list(budgets(runs, x))
    every = minima_of(groups, metric, x)
    if (most := max((budget.sizes for budget in every), default=0)) < NEAREST:
        remedy = f"train {NEAREST} or more sizes at one compute"
        raise Refused(
            f"no budget of {x} has {NEAREST} model sizes, at most {most}, and a minimum needs them: {remedy}."
        )
    drawn = [(budget, group) for budget, group in zip(every, groups, strict=True) if budget.sizes >= SIZES]
    low, high = drawn[0][0].compute, drawn[-1][0].compute
    if len(drawn) == 1:
        low, high = low / 2, high * 2
    colours = ScalarMappable(LogNorm(low, high), LinearSegmentedColormap.from_list("budgets", shades(_LEVELS)))
    for budget, group in drawn:
        _draw_budget(axes, budget, best_of_sizes(group, metric), metric, colours.to_rgba(np.asarray(budget.compute)))
    shown = pd.concat([group for _, group in drawn])
    axes.set_xlabel("Model size (parameters)", fontsize=TEXT)
    label_error(axes, metric, data_name(points))
    axis_of_compute(axes, shown["params"].min() / 1.3, shown["params"].max() * 1.3)
    axis_of_errors(axes, least(shown, metric) * factor / 1.08, shown[metric].max() * factor * 1.05)
    note_zeros(axes, shown, metric)
    return every, colours


def _draw_budget(axes: Axes, budget: Budget, best: pd.DataFrame, metric: str, colour: Any) -> None:
    factor = share(metric)
    measured = best["params"], best[metric] * factor
    if budget.params is None or budget.error is None:
        axes.plot(*measured, color=colour, linewidth=0.6, linestyle=":", marker="o", markersize=2.5, zorder=3)
        return
    axes.plot(*measured, color=colour, linestyle="none", marker="o", markersize=2.5, zorder=3)
    size, error = parabola(budget, best, metric, 100)
    axes.plot(size, error * factor, color=colour, linewidth=1.2, zorder=4)
    axes.scatter(budget.params, budget.error * factor, facecolor=paper(), edgecolor=ink(), zorder=5, **_MINIMUM)


FIGURE = Plot(draw)
