"""The laws and figures of a store; reports alone know the analysis."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pandas import DataFrame, read_sql_table
from pandas.errors import DatabaseError

from scalectl import analysis
from scalectl.analysis.backtests import Backtest, backtest
from scalectl.analysis.budgets import IsoFlop, isoflop
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.fonts import missing
from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.fitting import fit
from scalectl.analysis.groups import fit_each
from scalectl.analysis.plotting import draw as drawing
from scalectl.analysis.plotting import kind
from scalectl.analysis.report import AHEAD, Fitted
from scalectl.analysis.selection import Unreadable, select
from scalectl.orchestrator.errors import Exit, Problem, Refusal, Spot
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.report.study import DEFAULT, Ask, ask, held_out
from scalectl.orchestrator.revision import revision
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.database import check, reading
from scalectl.orchestrator.store.records import Records


class InvalidExpression(Refusal):
    """A --where or --hold-out that can't be read."""

    exit = Exit.INVALID


def study_points(
    store: Path,
    study: str | None,
    where: str | None = None,
    *,
    metric: str | None = None,
    x: str | None = None,
    law: str | None = None,
    seeds: str | None = None,
) -> tuple[Ask, DataFrame]:
    """The fits of a study, with the words of the command line in place of its own, and its points that `where` chooses.

    Raises NotFound without a store or study, Unusable for a store that can't be read, and Refusal where `where`
    chooses none of its runs.
    """
    request = ask(store, study).changed(metric=metric, compute=x, law=law, seeds=seeds)
    points = _points(store)
    points = points[points["run"].isin(request.runs)].reset_index(drop=True)
    if where is None:
        return request, points
    selected = select_runs(points, "--where", where).reset_index(drop=True)
    if selected.empty and len(points):
        raise Refusal(f"--where {where!r} chooses none of the {len(points)} runs of {request.study}.")
    return request, selected


def _points(store: Path) -> DataFrame:
    try:
        return analysis.read(store)
    except (ValueError, DatabaseError) as error:
        check(store)  # which names the value or the page that is at fault
        raise Unusable(str(error)) from error


def select_runs(points: DataFrame, option: str, text: str) -> DataFrame:
    """The rows that an expression of the command line chooses; raises InvalidExpression with the place."""
    try:
        return points[select(points, text)]
    except Unreadable as wrong:
        spot = Spot(option, 1, wrong.start + 1, wrong.end - wrong.start, wrong.text)
        raise InvalidExpression(str(Problem(spot, "", wrong.problem, wrong.hint))) from None


def held_out_runs(points: DataFrame, fit: Fit, expression: str | None) -> Collection[str]:
    """The ids of the runs to hold out: those of the command line's expression, or else of the study's rule."""
    if expression is None:
        return held_out(points, fit.hold_out)
    return list(select_runs(points, "--hold-out", expression)["run"])


def fit_or_reason(points: DataFrame, wanted: Fit, hold_out: Collection[str]) -> tuple[Fitted | None, str]:
    """The law, or none and the reason why the points can't carry it."""
    try:
        options: dict[str, Any] = {"law": wanted.law, "seeds": wanted.seeds, "hold_out": hold_out}
        return fit(points, wanted.metric, wanted.compute, **options), ""
    except Refused as refused:
        return None, f"refused: {refused}"


def tested(points: DataFrame, wanted: Fit, hold_out: Collection[str]) -> Backtest:
    """The backtest of a law; raises Refusal where the points have no runs for it."""
    try:
        kept = points[~points["run"].isin(list(hold_out))]
        return backtest(kept, wanted.metric, wanted.compute, law=wanted.law, seeds=wanted.seeds)
    except Refused as refused:
        raise Refusal(f"refused: {refused}") from None


def fit_per(points: DataFrame, wanted: Fit, per: str) -> tuple[dict[str, Fitted], dict[str, str], str]:
    """The law of each model or data size, the reasons of those that have none, and all of them as a table."""
    groups = fit_each(points, wanted.metric, wanted.compute, per=per, law=wanted.law, seeds=wanted.seeds)
    return groups.laws, {name: str(refused) for name, refused in groups.refused.items()}, str(groups)


def minima(points: DataFrame, wanted: Fit) -> IsoFlop:
    """The best model size at each budget and its growth; raises Refusal where the points can't carry it."""
    try:
        return isoflop(points, wanted.metric, wanted.compute)
    except Refused as refused:
        raise Refusal(f"refused: {refused}") from None


def draw(name: str, subject: Subject, file: Path, **options: Any) -> str:
    """Write a figure and its data, and return the letters that no font has for it.

    Raises Refusal when there is nothing to draw, or no way to write it.
    """
    try:
        drawn = drawing(name, subject, revision(), **options)
        drawn.save(file)
        return missing(drawn.figure)
    except Refused as refused:
        raise Refusal(f"refused: {refused}") from refused
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from error


def draw_figure(
    name: str,
    file: Path,
    store: Path,
    *,
    study: str | None,
    metric: str | None,
    x: str | None,
    law: str | None,
    where: str | None,
    hold_out: str | None,
    **options: Any,
) -> tuple[str, float, str]:
    """Write the figure of that name with the law of its metric.

    Returns why there is no law, a compute to predict at, 0 where that isn't known, and the letters that no font has.
    """
    curve, curves, is_of_curves = metric or "loss", None, kind(name).curves
    if is_of_curves:  # the metric is a column of theirs, and the law keeps the study's
        metric = None
    request, points = study_points(store, study, where, metric=metric, x=x, law=law)
    wanted = next(iter(request.fits.values()))
    held = held_out_runs(points, wanted, hold_out)
    fitted, refusal = fit_or_reason(points, wanted, held)
    if is_of_curves:
        curves = training_curves(store, points)
    fitting = {"law": wanted.law, "seeds": wanted.seeds}
    subject = Subject(points, wanted.metric, wanted.compute, fitted, refusal, curves, curve, held, fitting)
    letters = draw(name, subject, file, **options)
    return refusal, ahead(points, wanted.compute), letters


def ahead(points: DataFrame, x: str) -> float:
    """A compute worth a prediction: ten times the largest of the runs, or 0 where none has any."""
    largest = points[x].max()
    if not largest > 0:
        return 0.0
    return AHEAD * float(largest)


def training_curves(store: Path, points: DataFrame) -> DataFrame:
    """The training curves of these runs: the view `curves`."""
    with reading(store) as connection:
        curves = read_sql_table("curves", connection)
    return curves[curves["run"].isin(points["run"])].reset_index(drop=True)


def conclude(experiment: Experiment) -> Iterator[str]:
    """Store the laws of a launch, draw the frontier of each, and yield the lines that report them.

    What the points can't carry is said in a line and fails nothing.
    """
    store = Path(experiment.store)
    _, points = study_points(store, experiment.name)
    fits = experiment.fits or DEFAULT
    laws = {name: fit_or_reason(points, fit, held_out_runs(points, fit, None)) for name, fit in fits.items()}
    try:
        with Records(store) as records:
            for name, (law, refusal) in laws.items():
                if law:
                    records.save_fit(f"{experiment.name}/{name}", law.to_json())
                    yield f"{experiment.name} · {law}\n"
                else:
                    yield refusal
        for name, wanted in fits.items():
            figure, held = experiment.figure(name), held_out_runs(points, wanted, None)
            subject = Subject(points, wanted.metric, wanted.compute, *laws[name], hold_out=held)
            draw("frontier", subject, figure, wide=True)
            yield f"{_near(figure)} written."
    except Refusal as refused:
        yield str(refused)


def _near(path: Path) -> str:
    """A path as it is reached from here, where that is downwards."""
    here = os.path.relpath(path)
    if here.startswith(".."):
        return str(path)
    return here
