"""Error over model size, a curve for each budget, with the minimum that five sizes around the best one give."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from analysis.budgets import Budget, best_of_sizes, budgets, minimum, nearest, parabola
from analysis.drawing.panels import label_error
from analysis.drawing.style import INK, TEXT, axis_of_compute, axis_of_errors, share
from analysis.refusal import Refused
from analysis.runs import usable

SIZES = 3  # that a budget needs for a curve
_MINIMUM: dict[str, Any] = {"marker": "D", "s": 16, "facecolor": "white", "edgecolor": INK, "linewidth": 0.8}


def draw_isoflop(axes: Axes, points: pd.DataFrame, metric: str, compute: str) -> tuple[list[Budget], ScalarMappable]:
    """Draw the best run of each size at each budget and the minima; return the budgets and the scale of their colours.

    Raises Refused where no budget has three sizes.
    """
    runs, factor = usable(points, metric, compute, "params", "images_seen"), share(metric)
    groups = [group for group in budgets(runs, compute) if group["params"].nunique() >= SIZES]
    if not groups:
        raise Refused(f"no budget of {compute} has {SIZES} model sizes: train several sizes at one compute.")
    found = [minimum(group, metric, compute) for group in groups]
    spent = [one.compute for one in found]
    ends = (spent[0], spent[-1]) if len(spent) > 1 else (spent[0] / 2, spent[0] * 2)
    colours = ScalarMappable(LogNorm(*ends), colormaps["cividis"])
    for one, group in zip(found, groups, strict=True):
        _draw_budget(axes, one, best_of_sizes(group, metric), metric, colours.to_rgba(np.asarray(one.compute)))
    shown = pd.concat(groups)
    axes.set_xlabel("Model size (parameters)", fontsize=TEXT)
    label_error(axes, metric)
    axis_of_compute(axes, shown["params"].min() / 1.3, shown["params"].max() * 1.3)
    axis_of_errors(axes, shown[metric].min() * factor / 1.08, shown[metric].max() * factor * 1.05)
    return found, colours


def _draw_budget(axes: Axes, budget: Budget, best: pd.DataFrame, metric: str, colour: Any) -> None:
    factor = share(metric)
    measured = best["params"], best[metric] * factor
    if budget.params is None or budget.error is None:
        axes.plot(*measured, color=colour, linewidth=0.6, linestyle=":", marker="o", markersize=2.5, zorder=3)
        return
    axes.plot(*measured, color=colour, linestyle="none", marker="o", markersize=2.5, zorder=3)
    near = nearest(best, metric)
    size = np.geomspace(near["params"].iloc[0], near["params"].iloc[-1], 100)
    axes.plot(size, parabola(near, metric)(np.log(size)) * factor, color=colour, linewidth=1.2, zorder=4)
    axes.scatter(budget.params, budget.error * factor, zorder=5, **_MINIMUM)
