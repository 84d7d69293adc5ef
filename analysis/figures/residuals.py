"""Draw how far the frontier and held-out runs lie from the law."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import records
from scalectl.analysis.drawing.colours import ink, paper
from scalectl.analysis.drawing.legends import dots, draw_legend, lines
from scalectl.analysis.drawing.panels import BEYOND, draw_band, draw_stars, label_compute, reach
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import STAR, TEXT, Marks, axis_of_compute, plain
from scalectl.analysis.drawing.titles import put_title
from scalectl.analysis.law import Floats
from scalectl.analysis.report import Fitted, HeldOut
from scalectl.analysis.runs import usable

_PERCENT = 100.0
_LEAST = 0.001  # an axis that shows less than this would magnify rounding


def draw(subject: Subject) -> Drawing:
    """How far frontier and held-out runs lie from the law; raises Refused, with the reason, without one."""
    if subject.fit is None:
        raise Refused(subject.note.removeprefix("refused: ") or "there is no law.")
    runs = usable(subject.points, subject.metric, subject.x)
    figure = sheet(COLUMN, 2.7)
    axes = figure.subplots()
    marks = Marks.of_runs(runs)
    shown = draw_residuals(axes, subject.fit, marks, reach(runs, subject.x))
    put_title(axes, subject.fit, len(runs))
    draw_legend(figure, dots(marks) | {"": lines(subject.fit, rings=False)})
    return Drawing(figure, {"residuals": records(shown)})


def residuals(fit: Fitted) -> pd.DataFrame:
    """The log residual of each frontier point, and of each held-out run that would be one."""
    front = fit.frontier.assign(held_out=False)[["run", "name", "model", "data_size", fit.x, "held_out"]]
    front = front[fit.frontier[fit.metric] > 0].assign(residual=fit.residuals)
    held_out = [
        {"run": run.run, "name": run.name, fit.x: run.compute, "held_out": True} | _ends(fit, run)
        for run in fit.held_out
        if run.got > 0
    ]
    if not held_out:
        return front
    return pd.concat([front, pd.DataFrame(held_out)], ignore_index=True)


def _ends(fit: Fitted, run: HeldOut) -> dict[str, float]:
    """How far a held-out run and its interval lie from the law, as all else in the figure does: the prediction, of
    which the interval is, may average it with others.
    """
    logs = np.log([run.got, run.low, run.high]) - np.log(fit.law(run.compute))
    return dict(zip(("residual", "low", "high"), map(float, logs), strict=True))


def draw_residuals(axes: Axes, fit: Fitted, marks: Marks, across: Floats) -> pd.DataFrame:
    """Draw the residuals, held-out runs with their intervals, and the law's band at `across`; return the residuals."""
    shown, law = residuals(fit), fit.law(across)
    low, high = (_PERCENT * np.log(end / law) for end in fit.band(across))
    draw_band(axes, across, low, high)
    last = float(fit.frontier[fit.x].iloc[-1])
    for some, style in ((across <= last, "-"), (across >= last, BEYOND)):
        axes.plot(across[some], 0 * across[some], color=ink(), linewidth=1.1, linestyle=style, zorder=2)
    inside, out = shown[~shown["held_out"].astype(bool)], shown[shown["held_out"].astype(bool)]
    colours = inside["model"].map(marks.colours).tolist()
    dot = {"s": marks.area(inside), "color": colours, "edgecolor": paper(), "linewidth": 0.3, "zorder": 4}
    axes.scatter(inside[fit.x], _PERCENT * inside["residual"], **dot)
    if len(out):
        low, high = (_PERCENT * out[end] for end in ("low", "high"))
        axes.vlines(out[fit.x], low, high, color=STAR, linewidth=0.8, zorder=3)
        draw_stars(axes, out[fit.x], _PERCENT * out["residual"])
    label_compute(axes, fit.x)
    axes.set_ylabel("log(measured / law), %", fontsize=TEXT)
    axis_of_compute(axes, across[0] / 1.2, across[-1])
    heights = shown[["residual", *({"low", "high"} & set(shown))]].to_numpy(float)
    most = 1.25 * _PERCENT * max(float(np.nanmax(np.abs(heights))), _LEAST)
    axes.set_ylim(-most, most)
    plain(axes)
    return shown


FIGURE = Plot(draw, columns=("params", "data_size"))
