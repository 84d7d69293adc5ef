"""How runs and numbers look in figures: colours by model, sizes by data, ticks and labels on logarithmic axes."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogFormatterSciNotation, MaxNLocator, NullLocator

from scalectl.analysis.drawing.colours import Colour, ink, paper, shades

FAINT, STAR = "#8f8f8f", "#0072b2"
TEXT, SMALL = 8.0, 7.0  # points
_AREAS = (4.0, 34.0)  # of the smallest and the largest data size, in square points
_AREA = 18.0  # where all are alike
_APART = 0.15  # least distance of labelled ticks along the x axis, as a share of it
_ABOVE = 1.35 * SMALL  # the same along the y axis, in points
_CLOSE = 0.35  # decades of an axis of compute in which all of its numbers have room
_STEPS = (1, 2, 5, 3, 7, 1.5, 1.2, 9)  # of a decade: where ticks stand, as far as there is room, the first ones first


def _grid() -> Any:
    """The colour of the grid, which alone is paler than 3:1."""
    return tuple(0.9 * np.array(to_rgb(paper())) + 0.1 * np.array(to_rgb(ink())))


@dataclass(frozen=True)
class Marks:
    """The colour of each model and the area of each data size, smallest first."""

    colours: dict[str, Colour]
    areas: dict[int, float]

    @staticmethod
    def of_runs(runs: pd.DataFrame) -> "Marks":
        """The marks of all models and data sizes among `runs`."""
        models = runs.groupby("model")["params"].min().reset_index().sort_values(["params", "model"])["model"]
        sizes = sorted(runs["data_size"].dropna().unique())
        areas = np.full(len(sizes), _AREA)
        if len(sizes) > 1:
            areas = np.linspace(*_AREAS, len(sizes))
        colours = dict(zip(models, shades(len(models)), strict=True))
        return Marks(colours, {int(size): float(area) for size, area in zip(sizes, areas, strict=True)})

    def area(self, runs: pd.DataFrame) -> pd.Series:
        """The area of each run, for one whose data size is not known as where all are alike."""
        return runs["data_size"].map(self.areas).astype(float).fillna(_AREA)


def short(number: float) -> str:
    """A count for a tick: 100, 1.4k, 30M, 1.9B."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def axis_of_errors(axes: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic from `low` to `high`, with ticks that are plain numbers; linear where all are 0."""
    if axes.has_data() and math.isinf(axes.dataLim.minposy):  # every error is 0, which no logarithm has
        axes.set_ylim(-0.05, 1)
        plain(axes)
        return
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(low, max(high, 1.1 * low))
    axes.yaxis.set_major_locator(_RoundNumbers(axes))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.3g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    plain(axes)


def axis_of_sizes(axes: Axes, sizes: Sequence[float]) -> None:
    """Make the x axis logarithmic with a tick at each size, as far as their labels have room."""
    low, high = min(sizes), max(sizes)
    around = 2.0
    if high > low:
        around = (high / low) ** 0.08
    axes.set_xscale("log")
    axes.set_xlim(low / around, high * around)
    span = math.log(high * around * around / low)
    ticks: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not ticks or math.log(ticks[-1] / size) >= _APART * span:
            ticks.append(size)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: short(number)))
    axes.xaxis.set_minor_locator(NullLocator())
    plain(axes)


def axis_of_compute(axes: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic from `low` to `high`."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    written = LogFormatterSciNotation()
    written.set_axis(axes.xaxis)
    labelled = _between_powers(low, high)
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda number, _: written(number) if labelled is None or _digit(number) in labelled else "")
    )
    plain(axes)


def _between_powers(low: float, high: float) -> Collection[int] | None:
    """The first digits of the numbers that an axis names between powers of ten, as far as there is room; None for all.

    Two powers tell the scale by themselves.
    """
    decades, powers = math.log10(high / low), math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
    if powers > 1:
        return ()
    if decades > 1:
        return 2, 5
    if decades > _CLOSE:
        return 2, 3, 5, 7
    return None


def _digit(number: float) -> int:
    return round(number / 10 ** math.floor(math.log10(number) + 1e-9))


def plain(axes: Axes) -> None:
    """Take from the axes what carries no data, and lay a pale grid behind the rest."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, which="major", color=_grid(), linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL, width=0.6, length=2.5)
    axes.tick_params(which="minor", labelsize=SMALL, width=0.4, length=1.5)


class _RoundNumbers(Locator):
    """Ticks at round numbers of a y axis, as many as it has room for, whatever its limits and its figure become."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes

    def __call__(self) -> Any:
        """The ticks of the axis as it is now."""
        return self.tick_values(*sorted(self._axes.get_ylim()))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The ticks between two positive numbers."""
        return np.array(_round_numbers(vmin, vmax, _ABOVE / height(self._axes)), float)


def height(axes: Axes) -> float:
    """About how high the axes are, in points."""
    figure = axes.get_figure(root=True)
    inches = 4.8
    if figure:
        inches = figure.get_figheight()
    return 72 * axes.get_position().height * inches


def _round_numbers(low: float, high: float, share: float) -> list[float]:
    """Round numbers between two positive ones, none closer than a share of the axis; others where few are."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    apart, ticks = share * math.log(high / low), list[float]()
    for step in _STEPS:
        for number in (float(f"{step}e{decade}") for decade in decades):
            if low <= number <= high and all(abs(math.log(number / tick)) >= apart for tick in ticks):
                ticks.append(number)
    if len(ticks) < 3:
        ticks = [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    return sorted(ticks)
