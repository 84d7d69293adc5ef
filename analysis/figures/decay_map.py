"""Draw the metric over two settings of a sweep, weight decay of head and body by default."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from scalectl.analysis.checks import Refused
from scalectl.analysis.comparison import comparable
from scalectl.analysis.documents import rows as cells
from scalectl.analysis.drawing.compared import compared
from scalectl.analysis.drawing.labels import data_name, metric_label, share
from scalectl.analysis.drawing.plot import Drawing, Option, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import SMALL, TEXT
from scalectl.analysis.runs import usable, without
from scalectl.analysis.vocabulary import is_accuracy

DECAYS = ("weight_decay_head", "weight_decay_body")
_DARK = 0.45  # luminance below which letters are white
_MOST = 16  # values of a setting that a map can hold


def draw(subject: Subject, *, rows: str | None = None, columns: str | None = None) -> Drawing:
    """The metric over two settings of a sweep."""
    best, of_each = table(subject, rows or DECAYS[0], columns or DECAYS[1])
    figure = sheet(COLUMN, 0.9 + 0.22 * max(len(best), 4))
    axes = figure.subplots()
    draw_map(axes, best, subject.metric)
    label = metric_label(subject.metric, data_name(subject.points))
    axes.set_title(f"{label}\n{of_each} of each pair", fontsize=TEXT, loc="left")
    ends = {str(best.index.name): list(map(float, best.index)), str(best.columns.name): list(map(float, best.columns))}
    return Drawing(figure, ends | {"cells": cells(best)})


def table(subject: Subject, rows: str, columns: str) -> tuple[pd.DataFrame, str]:
    """The best metric at each pair of values, rows downwards from the largest, and what it is of: a run, or a mean of
    seeds. NaN where no run has the pair.

    Raises Refused for settings that are not numbers, that `points` doesn't have, or that have fewer than two values.
    """
    points, metric = without(subject.points, subject.hold_out), subject.metric
    for name in (rows, columns):
        if name not in points or not is_numeric_dtype(points[name]) or is_bool_dtype(points[name]):
            raise Refused(f"{name!r} is no setting with numbers: give one such as lr or weight_decay_body.")
    if rows == columns:
        raise Refused(f"a map needs two settings, not {rows} twice.")
    runs = comparable(usable(points, metric, subject.x), rows, columns)
    means = runs.assign(seeds=1)
    if "seed" not in (rows, columns):
        means = compared(subject, runs, subject.x)
    kept = "max" if is_accuracy(metric) else "min"
    best = means.pivot_table(index=rows, columns=columns, values=metric, aggfunc=kept).sort_index(ascending=False)
    for name, values in ((rows, best.index), (columns, best.columns)):
        if not 2 <= len(values) <= _MOST:
            number = f"{len(values)} values"
            if len(values) == 1:
                number = "1 value"
            raise Refused(f"{name} has {number} among {len(runs)} runs, and a map shows 2 to {_MOST}.")
    return best, "best mean of seeds" if (means["seeds"] > 1).any() else "best run"


def draw_map(axes: Axes, best: pd.DataFrame, metric: str) -> None:
    """Draw such a table as coloured cells with their numbers, the best one boxed; cells without a run stay empty."""
    numbers = best.to_numpy(float) * share(metric)
    decimals = max(0, 2 - math.floor(math.log10(np.nanmax(np.abs(numbers)) or 1.0)))  # three digits of the largest
    colours, best_place = "viridis_r", np.nanargmin
    if is_accuracy(metric):
        colours, best_place = "viridis", np.nanargmax
    image = axes.imshow(numbers, cmap=colours, aspect="auto")
    for row, column in np.argwhere(np.isfinite(numbers)):
        axes.text(
            column,
            row,
            f"{numbers[row, column]:.{decimals}f}",
            ha="center",
            va="center",
            fontsize=SMALL,
            color=_ink(image.to_rgba(numbers[row, column])),
        )
    row, column = np.unravel_index(best_place(numbers), numbers.shape)
    axes.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5),
            1,
            1,
            fill=False,
            edgecolor=_ink(image.to_rgba(numbers[row, column])),
            linewidth=1.6,
        )
    )
    axes.set_xticks(range(len(best.columns)), [f"{value:g}" for value in best.columns])
    axes.set_yticks(range(len(best.index)), [f"{value:g}" for value in best.index])
    axes.set_xlabel(best.columns.name, fontsize=TEXT)
    axes.set_ylabel(best.index.name, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL, length=0)
    axes.spines[:].set_visible(False)


def _ink(background: Any) -> str:
    """The colour of letters that can be read."""
    red, green, blue, *_ = background
    if 0.299 * red + 0.587 * green + 0.114 * blue < _DARK:
        return "white"
    return "black"


_OPTIONS = tuple(Option(side, f"The setting of the {side}, such as lr.", "SETTING") for side in ("rows", "columns"))

FIGURE = Plot(draw, _OPTIONS, fixed=frozenset({"xlim", "ylim"}))
