"""How far runs lie from the law: log(measured / law) over compute, with the law's own band."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing.panels import BEYOND, HELD_OUT, label_compute
from analysis.drawing.style import INK, STAR, TEXT, Marks, axis_of_compute, plain
from analysis.laws import Floats
from analysis.report import Fitted, HeldOut

_PERCENT = 100.0
_LEAST = 0.001  # an axis that shows less than this would magnify rounding


def residuals(fit: Fitted) -> pd.DataFrame:
    """Return the log residual of each frontier point, and of each held-out run that would be one."""
    front = fit.frontier.assign(held_out=False)[["run", "name", "model", "data_size", fit.compute, "held_out"]]
    front = front[fit.frontier[fit.metric] > 0].assign(residual=fit.residuals)
    others = [
        {"run": one.run, "name": one.name, fit.compute: one.compute, "held_out": True} | _ends(one)
        for one in fit.held_out
        if one.got > 0
    ]
    return pd.concat([front, pd.DataFrame(others)], ignore_index=True) if others else front


def _ends(one: HeldOut) -> dict[str, float]:
    logs = np.log([one.got, one.low, one.high]) - np.log(one.predicted)
    return dict(zip(("residual", "low", "high"), map(float, logs), strict=True))


def draw_residuals(axes: Axes, fit: Fitted, marks: Marks, across: Floats) -> pd.DataFrame:
    """Draw the residuals, held-out runs with their intervals, and the law's band at `across`; return the residuals."""
    found, law = residuals(fit), fit.law(across)
    low, high = (_PERCENT * np.log(end / law) for end in fit.band(across))
    axes.fill_between(across, low, high, color=INK, alpha=0.13, linewidth=0, zorder=1)
    last = float(fit.frontier[fit.compute].iloc[-1])
    for some, style in ((across <= last, "-"), (across >= last, BEYOND)):
        axes.plot(across[some], 0 * across[some], color=INK, linewidth=1.1, linestyle=style, zorder=2)
    inside, out = found[~found["held_out"].astype(bool)], found[found["held_out"].astype(bool)]
    colours = inside["model"].map(marks.colours).tolist()
    dots = {"s": marks.area(inside), "color": colours, "edgecolor": "white", "linewidth": 0.3, "zorder": 4}
    axes.scatter(inside[fit.compute], _PERCENT * inside["residual"], **dots)
    if len(out):
        low, high = (_PERCENT * out[end] for end in ("low", "high"))
        axes.vlines(out[fit.compute], low, high, color=STAR, linewidth=0.8, zorder=3)
        axes.scatter(out[fit.compute], _PERCENT * out["residual"], **HELD_OUT)
    label_compute(axes, fit.compute)
    axes.set_ylabel("log(measured / law), %", fontsize=TEXT)
    axis_of_compute(axes, across[0] / 1.2, across[-1])
    shown = found[["residual", *({"low", "high"} & set(found))]].to_numpy(float)
    most = 1.25 * _PERCENT * max(float(np.nanmax(np.abs(shown))), _LEAST)
    axes.set_ylim(-most, most)
    plain(axes)
    return found
