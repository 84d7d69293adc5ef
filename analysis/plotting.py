"""The figures by name, as values with the data that they show."""

from collections.abc import Collection
from typing import Any

import pandas as pd

from scalectl.analysis.checks import RUN, Refused, checked, excluded, ids
from scalectl.analysis.drawing.look import LOOKS, Look, adapt, settings
from scalectl.analysis.drawing.plot import Drawing, Plot, Subject
from scalectl.analysis.drawing.sheet import Sheet, house_style
from scalectl.analysis.fitting import fit
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, METRIC, among
from scalectl.analysis.sample import DRAWS, Manner
from scalectl.analysis.vocabulary import AXES, CORRELATION, FIGURES, FRONTIER, SEEDS


def plot(
    points: pd.DataFrame,
    figure: str = "frontier",
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    law: str | None = None,
    runs: str = FRONTIER,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
    hold_out: Collection[str] = (),
    draws: int = DRAWS,
    curves: pd.DataFrame | None = None,
    curve: str = "loss",
    **options: Any,
) -> Drawing:
    """The figure of that name, of these runs and their law, fitted as `fit` does; `options` are the
    figure's own, and its looks: title, xlabel, ylabel, xlim, ylim, size in millimetres, dpi and style.

    Plots of training curves take them as `curves`, the store's view of that name, and draw their column `curve`.
    Raises Refused for a figure without a file in figures/, and where the runs can't carry it; without a law the others
    are drawn with the reason.
    """
    Manner(law, runs, seeds, correlation)  # a word that is wrong is no reason to draw without a law
    fitting = {"law": law, "runs": runs, "seeds": seeds, "correlation": correlation}
    hold_out = ids("hold_out", hold_out)
    fitted, note = _law(points, metric, x, hold_out, {**fitting, "draws": draws})
    return draw(figure, Subject(points, metric, x, fitted, note, curves, curve, hold_out, fitting), **options)


def _law(
    points: pd.DataFrame, metric: str, x: str, hold_out: Collection[str], fitting: dict[str, Any]
) -> tuple[Fitted | None, str]:
    try:
        return fit(points, metric, x, hold_out=hold_out, **fitting), ""
    except Refused as refused:
        return None, str(refused)


def kind(figure: str) -> Plot:
    """The plot of that name; raises Refused, which lists all names."""
    try:
        plot: Plot = FIGURES[figure]
    except KeyError as unknown:
        raise Refused(unknown.args[0]) from None
    return plot


def draw(figure: str, subject: Subject, revision: str = "", **options: Any) -> Drawing:
    """The figure of that name; `options` are its own and the fields of a Look. Its data begin with
    the question, the law, the runs left out and the revision.

    Raises Refused where the runs can't carry the figure.
    """
    chosen = kind(figure)
    checked(subject.points, [*RUN, "name", *chosen.columns])
    asked = {name: options.pop(name) for name in LOOKS & {*options}}
    look = Look(**{name: value for name, value in asked.items() if value is not None})
    for name in sorted(chosen.fixed):
        if getattr(look, name) is not None:
            raise Refused(f"{figure} takes no {name}: it has axes of its own.")
    style = settings(look.style)
    with house_style(style):
        drawing = chosen.draw(subject, **options)
        if isinstance(drawing.figure, Sheet):
            drawing.figure.style = style
        adapt(drawing.figure, look)
    return Drawing(drawing.figure, {"figure": figure, **about(subject, revision), **drawing.data})


def about(subject: Subject, revision: str = "") -> dict[str, Any]:
    """What the JSON of every figure begins with: the question, the law, the runs left out, the revision."""
    fitted, held, document = subject.fit, set(subject.hold_out), None
    if fitted:
        held, document = held | {run.run for run in fitted.held_out}, fitted.to_json()
    return {
        "metric": subject.metric,
        "compute": subject.x,
        "unit": AXES[subject.x].unit,
        "revision": revision,
        "note": subject.note,
        "fit": document,
        "left_out": left_out(subject.points, subject.metric, subject.x, held),
    }


def left_out(points: pd.DataFrame, metric: str, x: str, held: Collection[str]) -> list[dict[str, str]]:
    """The runs that no law is fitted to, each with the reason."""
    why = pd.Series("", points.index, object)
    for name in (x, metric):  # the reason that counts most is written last, over others
        if name in points:
            why[points[name].isna()] = f"without {name}"
    why[among(points["run"], held)] = "held out"
    why[excluded(points)] = "excluded"
    unfinished = points["state"] != "done"
    why[unfinished] = points["state"][unfinished].map(str)
    left = points[why != ""]
    named = zip(left["run"], left["name"], why[why != ""], strict=True)
    return [{"run": str(run), "name": str(name), "why": reason} for run, name, reason in named]
