"""Draw the best run of each model size and of each data size, or the best mean of seeds."""

from typing import Any

from scalectl.analysis.checks import Refused
from scalectl.analysis.documents import records
from scalectl.analysis.drawing.compared import compared
from scalectl.analysis.drawing.labels import data_name, share
from scalectl.analysis.drawing.legends import dots, draw_legend
from scalectl.analysis.drawing.panels import LIMITS, draw_limit, label_error, least
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.drawing.style import Marks, axis_of_errors
from scalectl.analysis.runs import usable, without


def draw(subject: Subject) -> Drawing:
    """The best run of each model size and of each data size, or the best mean of seeds: what either allows at best."""
    runs = usable(subject.points, subject.metric, subject.x)
    without(subject.points, subject.hold_out)  # which refuses where none is left
    means = compared(subject, runs, subject.x)
    marks, data = Marks.of_runs(runs), dict[str, Any]()
    figure = sheet(COLUMN, 3.7)
    panels = figure.subplots(2, 1)
    for axes, size in zip(panels, LIMITS, strict=True):
        if means[size].isna().all():
            raise Refused(f"no run has {size}: the file that was imported doesn't tell it.")
        best = draw_limit(axes, runs, subject.metric, size, marks, means)
        label_error(axes, subject.metric, data_name(runs))
        data[size] = records(best[["run", "name", "seeds", size, subject.metric]])
    factor = share(subject.metric)
    for axes in panels:  # the same range, so that they can be compared
        axis_of_errors(axes, least(runs, subject.metric) * factor / 1.25, runs[subject.metric].max() * factor * 1.1)
    draw_legend(figure, dots(marks))
    return Drawing(figure, data)


FIGURE = Plot(draw, columns=("model", "params", "data_size"), fixed=frozenset({"title", "xlabel", "xlim"}))
