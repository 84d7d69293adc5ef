"""Draw every run, the frontier, and the law with its band."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalectl.analysis.documents import records
from scalectl.analysis.drawing.compared import compared
from scalectl.analysis.drawing.legends import dots, draw_legend, lines
from scalectl.analysis.drawing.panels import LIMITS, draw_law, draw_limit, draw_runs, reach
from scalectl.analysis.drawing.plot import Drawing, Option, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, PAGE, sheet
from scalectl.analysis.drawing.style import Marks
from scalectl.analysis.drawing.titles import put_title
from scalectl.analysis.runs import usable


def draw(subject: Subject, *, wide: bool = False) -> Drawing:
    """Every run, the frontier and the law with its band; raises Refused when no run is done and measured."""
    points, metric, x, fit = subject.points, subject.metric, subject.x, subject.fit
    runs = usable(points, metric, x)
    marks = Marks.of_runs(runs)
    figure, main = _panels(subject, runs, marks, wide)
    front = draw_runs(main, points, metric, x, marks, fit, subject.hold_out)
    if fit:
        draw_law(main, fit, reach(runs, x))
    put_title(main, fit, len(runs), subject.note)
    stars = runs["run"].isin(subject.hold_out).any()
    draw_legend(figure, dots(marks) | {"": lines(fit, stars=bool(stars))})
    shown = runs[["run", "name", "model", "params", "data_size", x, metric]]
    best = front["members"].explode() if "members" in front else front["run"]  # of means all of their seeds
    rows = records(shown.assign(on_frontier=runs["run"].isin(best)))
    return Drawing(figure, {"runs": rows, "curve": _curve(subject, runs)})


def _panels(subject: Subject, runs: pd.DataFrame, marks: Marks, wide: bool) -> tuple[Figure, Axes]:
    """A figure of one panel, or of a page with the best runs by size beside it."""
    if not wide:
        figure = sheet(COLUMN, 3.1)
        return figure, figure.subplots()
    figure = sheet(PAGE, 3.7)
    grid = figure.add_gridspec(2, 2, width_ratios=[2, 1])
    main, means = figure.add_subplot(grid[:, 0]), compared(subject, runs, subject.x)
    for row, size in enumerate(LIMITS):
        draw_limit(figure.add_subplot(grid[row, 1]), runs, subject.metric, size, marks, means)
    return figure, main


def _curve(subject: Subject, runs: pd.DataFrame) -> Mapping[str, Any] | None:
    """The law with its band as it is drawn."""
    if subject.fit is None:
        return None
    across = reach(runs, subject.x)
    curve = {"compute": across, subject.metric: subject.fit(across)}
    if subject.fit.intervals:
        curve |= dict(zip(("low", "high"), subject.fit.band(across), strict=True))
    return {name: list(map(float, values)) for name, values in curve.items()}


_WIDE = Option("wide", "Across a page, with the best runs of each model and data size beside it.")

FIGURE = Plot(draw, (_WIDE,), columns=("model", "params", "data_size", "steps"))
