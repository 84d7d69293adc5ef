"""The figures by name, each with the data that it shows; saved as a picture with a JSON beside it."""

import json
import textwrap
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.drawing.legends import Keys, draw_legend, lines, models, sizes
from analysis.drawing.panels import draw_best, draw_law, draw_runs, label_error, least, reach
from analysis.drawing.sheet import COLUMN, PAGE, SUFFIXES, sheet, write
from analysis.drawing.style import SMALL, TEXT, Marks, axis_of_errors, literal, share
from analysis.figures.decay_map import DECAYS, draw_map, table
from analysis.figures.isoflop import draw_isoflop
from analysis.figures.learning import draw_curves, draw_samples
from analysis.figures.residuals import draw_residuals
from analysis.laws import NESTED, Law
from analysis.refusal import Refused
from analysis.report import Fitted
from analysis.runs import UNITS, frontier, usable

_WRAP = 62  # letters of a note in a column
_BY = {"params": "Model size (parameters)", "data_size": "Distinct training images"}


@dataclass(frozen=True, eq=False)
class Subject:
    """What a figure shows: runs, a metric against compute, and the law or the note that says why there is none."""

    points: pd.DataFrame
    metric: str
    compute: str
    fit: Fitted | None = None
    note: str = ""
    curves: pd.DataFrame | None = None  # the training curves of the runs, for `curves`
    curve: str = "loss"  # which of their columns
    settings: tuple[str, str] = DECAYS  # rows and columns of the map
    wide: bool = False  # across a page, with the best runs by size beside the frontier


Drawn = tuple[Figure, dict[str, Any]]


def frontier_figure(subject: Subject) -> Drawn:
    """Return every run, the frontier and the law with its band; raises Refused when no run is done and measured."""
    points, metric, compute, fit = subject.points, subject.metric, subject.compute, subject.fit
    runs = usable(points, metric, compute)
    marks = Marks.of(runs)
    if subject.wide:
        figure = sheet(PAGE, 3.7)
        grid = figure.add_gridspec(2, 2, width_ratios=[2, 1])
        main = figure.add_subplot(grid[:, 0])
        for row, by in enumerate(_BY):
            _bottleneck(figure.add_subplot(grid[row, 1]), runs, metric, by, marks)
    else:
        figure = sheet(COLUMN, 3.1)
        main = figure.subplots()
    draw_runs(main, points, metric, compute, marks, fit)
    if fit:
        draw_law(main, fit, reach(runs, compute))
    main.set_title(_title(fit, len(runs), subject.note), fontsize=TEXT, loc="left", linespacing=1.4)
    draw_legend(figure, _dots(marks) | {"": lines(fit)})
    front = frontier(runs, metric, compute) if fit is None else fit.frontier
    shown = runs[["run", "name", "model", "params", "data_size", compute, metric]]
    data = {"runs": records(shown.assign(on_frontier=runs["run"].isin(front["run"])))}
    return figure, data | {"curve": _curve(subject, runs)}


def bottleneck_figure(subject: Subject) -> Drawn:
    """Return the best run of each model size and of each data size: what either allows at best."""
    runs = usable(subject.points, subject.metric, subject.compute)
    marks, data = Marks.of(runs), dict[str, Any]()
    figure = sheet(COLUMN, 3.7)
    panels = figure.subplots(2, 1)
    for axes, by in zip(panels, _BY, strict=True):
        if runs[by].isna().all():
            raise Refused(f"no run has {by}: the file that was imported doesn't tell it.")
        best = _bottleneck(axes, runs, subject.metric, by, marks)
        label_error(axes, subject.metric)
        data[by] = records(best[["run", "name", by, subject.metric]])
    factor = share(subject.metric)
    for axes in panels:  # the same range, so that they can be compared
        axis_of_errors(axes, least(runs, subject.metric) * factor / 1.25, runs[subject.metric].max() * factor * 1.1)
    draw_legend(figure, _dots(marks))
    return figure, data


def samples_figure(subject: Subject) -> Drawn:
    """Return the error over images seen, with a line for each model."""
    marks = Marks.of(usable(subject.points, subject.metric, "images_seen"))
    figure = sheet(COLUMN, 2.7)
    axes = figure.subplots()
    best = draw_samples(axes, subject.points, subject.metric, marks)
    draw_legend(figure, _dots(marks))
    return figure, {"best": records(best[["run", "name", "model", "images_seen", subject.metric]])}


def isoflop_figure(subject: Subject) -> Drawn:
    """Return the error over model size at each budget, with the minima."""
    figure = sheet(COLUMN, 2.9)
    axes = figure.subplots()
    budgets, colours = draw_isoflop(axes, subject.points, subject.metric, subject.compute)
    bar = figure.colorbar(colours, ax=axes, pad=0.02)
    bar.set_label(f"budget ({UNITS[subject.compute]})", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL, which="both", width=0.5)
    found = sum(one.params is not None for one in budgets)
    why = "; ".join(dict.fromkeys(one.why for one in budgets if one.why))
    note = f"{found} minima of {len(budgets)} budgets" + (f" ({why})" if why else "")
    axes.set_title(literal(textwrap.fill(note, _WRAP)), fontsize=SMALL, loc="left")
    return figure, {"budgets": [asdict(one) for one in budgets]}


def curves_figure(subject: Subject) -> Drawn:
    """Return the training curve of each run."""
    if subject.curves is None or subject.curves.empty:
        raise Refused("no run has a training curve: imported runs have none, and others before their first steps.")
    points = subject.points
    figure = sheet(COLUMN, 2.7)
    axes = figure.subplots()
    marks = Marks.of(points[points["run"].isin(subject.curves["run"])])
    drawn = draw_curves(axes, subject.curves, points, subject.curve, subject.compute, marks)
    draw_legend(figure, {"model": models(marks)})
    return figure, {"columns": list(drawn.columns), "rows": json.loads(drawn.to_json(orient="values"))}


def decay_map_figure(subject: Subject) -> Drawn:
    """Return the metric over two settings of a sweep."""
    rows, columns = subject.settings
    found = table(subject.points, subject.metric, subject.compute, rows, columns)
    figure = sheet(COLUMN, 0.9 + 0.22 * max(len(found), 4))
    axes = figure.subplots()
    draw_map(axes, found, subject.metric)
    name = literal(f"{subject.metric} (%)" if share(subject.metric) == 100 else subject.metric)
    axes.set_title(f"{name}, best run of each pair", fontsize=TEXT, loc="left")
    cells = json.loads(found.to_json(orient="values"))
    return figure, {rows: list(map(float, found.index)), columns: list(map(float, found.columns)), "cells": cells}


def residuals_figure(subject: Subject) -> Drawn:
    """Return how far frontier and held-out runs lie from the law; raises Refused, with the reason, without one."""
    if subject.fit is None:
        raise Refused(subject.note or "there is no law.")
    runs = usable(subject.points, subject.metric, subject.compute)
    figure = sheet(COLUMN, 2.7)
    axes = figure.subplots()
    marks = Marks.of(runs)
    found = draw_residuals(axes, subject.fit, marks, reach(runs, subject.compute))
    axes.set_title(_title(subject.fit, len(runs), ""), fontsize=TEXT, loc="left", linespacing=1.4)
    draw_legend(figure, _dots(marks) | {"": lines(subject.fit, rings=False)})
    return figure, {"residuals": records(found)}


FIGURES: dict[str, Callable[[Subject], Drawn]] = {
    "frontier": frontier_figure,
    "bottleneck": bottleneck_figure,
    "samples": samples_figure,
    "isoflop": isoflop_figure,
    "curves": curves_figure,
    "decay-map": decay_map_figure,
    "residuals": residuals_figure,
}


def save(name: str, subject: Subject, path: Path, revision: str = "") -> None:
    """Write a figure of FIGURES in the format of the suffix, and beside it what it shows as JSON.

    Raises Refused where the runs can't carry the figure, and for a suffix that is not one of SUFFIXES.
    """
    if path.suffix not in SUFFIXES:
        raise Refused(f"{path}: figures are {', '.join(SUFFIXES)}.")
    figure, data = FIGURES[name](subject)
    write(figure, path)
    document = json.dumps({"figure": name} | about(subject, revision) | data, indent=1, allow_nan=False)
    path.with_suffix(".json").write_text(document + "\n")


def about(subject: Subject, revision: str) -> dict[str, Any]:
    """Return what the JSON of every figure begins with: what was asked, the law, the runs left out, the revision."""
    fit, held = subject.fit, {run.run for run in subject.fit.held_out} if subject.fit else set()
    return {
        "metric": subject.metric,
        "compute": subject.compute,
        "unit": UNITS[subject.compute],
        "revision": revision,
        "note": subject.note,
        "fit": fit.to_json() if fit else None,
        "left_out": left_out(subject.points, subject.metric, subject.compute, held),
    }


def left_out(points: pd.DataFrame, metric: str, compute: str, held: Collection[str]) -> list[dict[str, str]]:
    """Return the runs that no law is fitted to, each with the reason."""
    found = []
    for row in points.to_dict("records"):
        reasons = {
            str(row["state"]): row["state"] != "done",
            "excluded": row["excluded"],
            "held out": row["run"] in held,
            f"without {metric}": metric in row and pd.isna(row[metric]),
            f"without {compute}": compute in row and pd.isna(row[compute]),
        }
        if why := next((reason for reason, holds in reasons.items() if holds), ""):
            found.append({"run": str(row["run"]), "name": str(row["name"]), "why": why})
    return found


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as JSON objects, one a row."""
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return found


def _curve(subject: Subject, runs: pd.DataFrame) -> dict[str, list[float]] | None:
    """Return the law with its band as it is drawn."""
    if subject.fit is None:
        return None
    across = reach(runs, subject.compute)
    curve = {"compute": across, subject.metric: subject.fit.law(across)}
    if subject.fit.intervals:
        curve |= dict(zip(("low", "high"), subject.fit.band(across), strict=True))
    return {name: list(map(float, values)) for name, values in curve.items()}


def _bottleneck(axes: Axes, runs: pd.DataFrame, metric: str, by: str, marks: Marks) -> pd.DataFrame:
    best = draw_best(axes, runs, metric, by, marks)
    axes.set_xlabel(_BY[by], fontsize=TEXT)
    axes.set_title(f"best run of each {'model' if by == 'params' else 'data'} size", fontsize=TEXT, loc="left")
    return best


def _dots(marks: Marks) -> dict[str, Keys]:
    return {"model": models(marks), "training images": sizes(marks)}


def _title(fit: Fitted | None, runs: int, note: str) -> str:
    if fit is None:
        return literal(textwrap.fill(note, _WRAP)) or f"{runs} runs"
    return f"{equation(fit.law)}\n{len(fit.frontier)} frontier points of {fit.counts.used} runs"


def equation(law: Law) -> str:
    """Return the law with two digits of its numbers and the unit of C, in TeX for the nested laws."""
    if law.family not in NESTED:
        return str(law)
    params = law.params()
    shift = rf"(C + {_number(params['offset'])})" if params.get("offset") else "C"
    floor = f"{_number(law.floor)} + " if law.floor else ""
    power = rf"{_number(params['scale'])}\,{shift}^{{-{_number(params['exponent'])}}}"
    return rf"$E = {floor}{power}$, $C$ in {law.unit}"


def _number(number: float) -> str:
    """Return a number in TeX with two digits."""
    digits, _, power = f"{number:#.2g}".partition("e")
    return rf"{digits}\times 10^{{{int(power)}}}" if power else digits.removesuffix(".")
