"""A metric over two settings of a sweep, as a map."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from analysis.drawing.style import INK, SMALL, TEXT, share
from analysis.refusal import Refused
from analysis.runs import usable

DECAYS = ("weight_decay_head", "weight_decay_body")
_DARK = 0.45  # luminance below which letters are white
_MOST = 16  # values of a setting that a map can hold


def table(points: pd.DataFrame, metric: str, compute: str, rows: str, columns: str) -> pd.DataFrame:
    """Return the least metric at each pair of values, rows downwards from the largest; NaN where no run has the pair.

    Raises Refused for settings that are not numbers, that `points` doesn't have, or that have fewer than two values.
    """
    for name in (rows, columns):
        if name not in points or not is_numeric_dtype(points[name]) or is_bool_dtype(points[name]):
            raise Refused(f"{name!r} is no setting with numbers: give one such as lr or weight_decay_body.")
    if rows == columns:
        raise Refused(f"a map needs two settings, not {rows} twice.")
    runs = usable(points, metric, compute)
    found = runs.pivot_table(index=rows, columns=columns, values=metric, aggfunc="min").sort_index(ascending=False)
    for name, values in ((rows, found.index), (columns, found.columns)):
        if not 2 <= len(values) <= _MOST:
            raise Refused(f"{name} has {len(values)} values among {len(runs)} runs, and a map shows 2 to {_MOST}.")
    return found


def draw_map(axes: Axes, found: pd.DataFrame, metric: str) -> None:
    """Draw such a table as coloured cells with their numbers, the best one boxed; cells without a run stay empty."""
    numbers = found.to_numpy(float) * share(metric)
    image = axes.imshow(numbers, cmap="viridis_r", aspect="auto")
    for row, column in np.argwhere(np.isfinite(numbers)):
        axes.text(
            column,
            row,
            f"{numbers[row, column]:.3g}",
            ha="center",
            va="center",
            fontsize=SMALL,
            color="white" if _luminance(image.to_rgba(numbers[row, column])) < _DARK else INK,
        )
    row, column = np.unravel_index(np.nanargmin(numbers), numbers.shape)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.6))
    axes.set_xticks(range(len(found.columns)), [f"{value:g}" for value in found.columns])
    axes.set_yticks(range(len(found.index)), [f"{value:g}" for value in found.index])
    axes.set_xlabel(found.columns.name, fontsize=TEXT)
    axes.set_ylabel(found.index.name, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL, length=0)
    axes.spines[:].set_visible(False)


def _luminance(colour: Any) -> float:
    red, green, blue, *_ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
