"""Draw the laws of the cheaper runs, and the frontier that dearer runs reached."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scalectl.analysis.backtests import Cut, backtest
from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import records
from scalectl.analysis.drawing.colours import ink
from scalectl.analysis.drawing.labels import share
from scalectl.analysis.drawing.legends import dots, draw_legend, of_cuts
from scalectl.analysis.drawing.panels import BEYOND, draw_band, draw_runs
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import SMALL, TEXT, Marks
from scalectl.analysis.runs import usable, without


def draw(subject: Subject) -> Drawing:
    """All runs, and the laws of those up to a tenth and a thirtieth of the compute with their bands.

    Raises Refused, with the reasons, where the runs carry no backtest.
    """
    points = without(subject.points, subject.hold_out)
    metric, x = subject.metric, subject.x
    runs = usable(points, metric, x)
    test = backtest(points, metric, x, **subject.fitting)
    if not test.cuts:
        raise Refused(" ".join(dict.fromkeys(test.refused.values())))
    figure = sheet(COLUMN, 3.1)
    axes, marks = figure.subplots(), Marks.of_runs(runs)
    draw_runs(axes, points, metric, x, marks)
    for cut in test.cuts:
        _draw_cut(axes, cut, float(runs[x].max()), share(metric))
    axes.set_title(_title(test.cuts), fontsize=TEXT, loc="left", linespacing=1.4)
    averaged = any(len(cut.fitted.average.members) > 1 for cut in test.cuts)
    draw_legend(figure, dots(marks) | {"": of_cuts(averaged=averaged)})
    return Drawing(figure, {"cuts": [_data(cut) for cut in test.cuts]})


def _draw_cut(axes: Axes, cut: Cut, most: float, factor: float) -> None:
    """Draw the law from the last run that it was fitted to, with its band, and where it was cut."""
    across = np.geomspace(cut.compute, most, 100)
    low, high = cut.fitted.band(across)
    draw_band(axes, across, low * factor, high * factor)
    axes.plot(across, cut.fitted(across) * factor, color=ink(), linewidth=1.0, linestyle=BEYOND, zorder=6)
    axes.axvline(cut.compute, color=ink(), linewidth=0.5, linestyle=":", zorder=1)
    axes.annotate(
        f"1/{cut.share:g}",
        xy=(cut.compute, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(2, 0),
        textcoords="offset points",
        fontsize=SMALL,
        verticalalignment="top",
    )


def _title(cuts: tuple[Cut, ...]) -> str:
    """A line for each cut: how far off it was, and how many later points its interval holds."""
    return "\n".join(
        f"from 1/{cut.share:g}: {cut.rms:.2g} rms (log), {100 * cut.coverage:.0f} % inside" for cut in cuts
    )


def _data(cut: Cut) -> dict[str, Any]:
    law = {"law": str(cut.fitted.law), "rms": cut.rms, "coverage": cut.coverage}
    return {"share": cut.share, "compute": cut.compute, **law, "later": records(cut.later)}


FIGURE = Plot(draw)
