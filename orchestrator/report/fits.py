"""What a store comes to: its laws and its figure; of all rooms here, this one alone knows the analysis."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pandas import DataFrame, read_sql_table

from scalectl import analysis
from scalectl.analysis.budgets import IsoFlop, isoflop
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.fitting import fit
from scalectl.analysis.groups import fit_each
from scalectl.analysis.plotting import draw as drawing
from scalectl.analysis.plotting import kind
from scalectl.analysis.report import Fitted
from scalectl.analysis.selection import Unreadable, select
from scalectl.orchestrator.errors import Exit, Problem, Refusal, Spot
from scalectl.orchestrator.experiment.experiment import Experiment
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.report.study import DEFAULT, Ask, ask, held_out
from scalectl.orchestrator.revision import revision
from scalectl.orchestrator.store.database import Unusable, reading
from scalectl.orchestrator.store.records import Records


class InvalidExpression(Refusal):
    """A --where or --hold-out that can't be read."""

    exit = Exit.INVALID


def asked(store: Path, study: str | None, where: str | None = None, **said: str | None) -> tuple[Ask, DataFrame]:
    """Return what the study and the command line ask for, and the points of the study's runs that `where` chooses.

    Raises NotFound without a store or study, Unusable for a store that can't be read, and Refusal where `where`
    chooses none of its runs.
    """
    found = ask(store, study).changed(**said)
    points = _points(store)
    points = points[points["run"].isin(found.runs)].reset_index(drop=True)
    if where is None:
        return found, points
    those = chosen(points, "--where", where).reset_index(drop=True)
    if those.empty and len(points):
        raise Refusal(f"--where {where!r} chooses none of the {len(points)} runs of {found.study}.")
    return found, those


def _points(store: Path) -> DataFrame:
    try:
        return analysis.read(store)
    except ValueError as error:
        raise Unusable(str(error)) from error


def chosen(points: DataFrame, option: str, text: str) -> DataFrame:
    """Return the rows that an expression of the command line chooses; raises InvalidExpression with the place."""
    try:
        return points[select(points, text)]
    except Unreadable as wrong:
        spot = Spot(option, 1, wrong.start + 1, wrong.end - wrong.start, wrong.text)
        raise InvalidExpression(str(Problem(spot, "", wrong.problem, wrong.hint))) from None


def held(points: DataFrame, wanted: Fit, text: str | None) -> Collection[str]:
    """Return the ids of the runs to hold out: those of the command line's expression, or else of the study's rule."""
    return held_out(points, wanted.hold_out) if text is None else list(chosen(points, "--hold-out", text)["run"])


def fitted(points: DataFrame, wanted: Fit, hold_out: Collection[str]) -> tuple[Fitted | None, str]:
    """Return the law or, where the points can't carry it, why not."""
    try:
        return fit(points, wanted.metric, wanted.compute, law=wanted.law, hold_out=hold_out), ""
    except Refused as refused:
        return None, str(refused)


def fitted_each(points: DataFrame, wanted: Fit, by: str) -> tuple[dict[str, Fitted], dict[str, str], str]:
    """Return the law of each model or data size, why others have none, and all of them as a table."""
    groups = fit_each(points, by, wanted.metric, wanted.compute, law=wanted.law)
    return groups.laws, {name: str(refused) for name, refused in groups.refused.items()}, str(groups)


def minima(points: DataFrame, wanted: Fit) -> IsoFlop:
    """Return the best model size at each budget and its growth; raises Refusal where the points can't carry it."""
    try:
        return isoflop(points, wanted.metric, wanted.compute)
    except Refused as refused:
        raise Refusal(str(refused)) from None


def draw(name: str, subject: Subject, file: Path, **options: Any) -> None:
    """Write a figure and its data; raises Refusal when there is nothing to draw, or no way to write it."""
    try:
        drawing(name, subject, revision(), **options).save(file)
    except (Refused, OSError) as error:
        raise Refusal(f"{file}: {error.strerror}" if isinstance(error, OSError) else str(error)) from error


def draw_asked(
    name: str, file: Path, store: Path, study: str | None, where: str | None, hold_out: str | None, **said: Any
) -> str:
    """Write the figure that the command line asks for, with the law of its metric; return why it lacks one."""
    options = {option.name: said.pop(option.name) for option in kind(name).options}
    curve, curves = said["metric"] or "loss", kind(name).curves
    if curves:  # the metric is a column of theirs, and the law keeps the study's
        said["metric"] = None
    ask, points = asked(store, study, where, **said)
    wanted = next(iter(ask.fits.values()))
    law, refusal = fitted(points, wanted, held(points, wanted, hold_out))
    table = training(store, points) if curves else None
    draw(name, Subject(points, wanted.metric, wanted.compute, law, refusal, table, curve), file, **options)
    return refusal


def training(store: Path, points: DataFrame) -> DataFrame:
    """Return the training curves of these runs: the view `curves`."""
    with reading(store) as connection:
        curves = read_sql_table("curves", connection)
    return curves[curves["run"].isin(points["run"])].reset_index(drop=True)


def conclude(experiment: Experiment) -> Iterator[str]:
    """Store the laws of a launch, draw its frontier, and yield what to say of them.

    What the points can't carry is said in a line and fails nothing.
    """
    store, figure = Path(experiment.store), experiment.figure
    _, points = asked(store, experiment.name)
    wanted = experiment.fits or DEFAULT
    fits = {name: (one, *fitted(points, one, held(points, one, None))) for name, one in wanted.items()}
    try:
        with Records(store) as records:
            for name, (_, law, refusal) in fits.items():
                yield f"{experiment.name} · {law}\n" if law else refusal
                if law:
                    records.save_fit(f"{experiment.name}/{name}", law.to_json())
        first, law, refusal = next(iter(fits.values()))
        draw("frontier", Subject(points, first.metric, first.compute, law, refusal), figure, wide=True)
        yield f"{_near(figure)} written."
    except Refusal as refused:
        yield str(refused)


def _near(path: Path) -> str:
    """Return a path as it is reached from here, where that is downwards."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here
