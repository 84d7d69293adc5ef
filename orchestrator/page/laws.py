"""The laws of a page: those that the study asks for, those of its other metrics and columns of compute, each family."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from pandas import DataFrame

from scalectl.analysis.documents import known
from scalectl.analysis.law import Floats
from scalectl.analysis.report import AHEAD, INTERVAL, Fitted, ahead, checks, estimates, head
from scalectl.analysis.table import Table
from scalectl.analysis.values import rms
from scalectl.analysis.vocabulary import LAWS
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.report.fits import fit_or_reason, held_out_runs, tested
from scalectl.orchestrator.report.study import Ask

_POINTS = 120  # of a curve
_DIGITS = 6  # of the numbers of a curve
_PARAMETERS = 4  # of a family that is fitted without being asked for; one with more takes seconds
Document = dict[str, Any]


def law_documents(
    table: Table, ask: Ask, metrics: Collection[str], axes: Collection[str], *, thorough: bool = True
) -> Iterator[Document]:
    """Yield the laws of a study and, where it is to be `thorough`, the others that a page offers.

    Each is of a metric, a compute and a family; none comes twice.

    A law that the points can't carry has the reason as its `refusal`.
    """
    offered = set()
    wishes = own_fits(ask)
    if thorough:
        wishes = _wanted(ask, metrics, axes)
    for wanted, family in wishes:
        key = (wanted.metric, wanted.compute, family)
        if key not in offered:
            offered.add(key)
            yield law_document(table, wanted, family)


def own_fits(ask: Ask) -> Iterator[tuple[Fit, str]]:
    """Yield the fits of a study, each with the family that --law has to name to get it, which is none for most."""
    plain = set()
    for fit in ask.fits.values():
        family = ""
        if (fit.metric, fit.compute) in plain:
            family = fit.law or ""
        plain.add((fit.metric, fit.compute))
        yield fit, family


def families(ask: Ask) -> list[str]:
    """The names of all families, of several names of one the longest, and those by which the study asks for one."""
    names = {id(LAWS[name]): name for name in sorted(LAWS, key=len)}
    asked = {fit.law for fit in ask.fits.values()}
    return [name for name in LAWS if name in asked or names[id(LAWS[name])] == name]


def _wanted(ask: Ask, metrics: Collection[str], axes: Collection[str]) -> Iterator[tuple[Fit, str]]:
    yield from own_fits(ask)
    first = next(iter(ask.fits.values()))
    pairs = [(metric, first.compute) for metric in metrics] + [(first.metric, x) for x in axes]
    for metric, x in pairs:
        yield first.model_copy(update={"metric": metric, "compute": x}), ""
    for fit in ask.fits.values():
        for name in families(ask):
            if len(LAWS[name].parameters) <= _PARAMETERS:
                yield fit.model_copy(update={"law": name}), name


def law_document(table: Table, wanted: Fit, family: str) -> Document:
    """One law as a page shows it: its texts are those of `scalectl fit`, its numbers those of `fit -o json`."""
    document: Document = {"metric": wanted.metric, "x": wanted.compute, "family": family}
    fitted, refusal = fit_or_reason(table, wanted, held_out_runs(table.points, wanted, None))
    if fitted is None:
        return document | {"refusal": refusal.removeprefix("refused: ")}
    rows = [[row.letter, row.name, row.value, row.ends, row.note] for row in estimates(fitted)]
    return document | {
        "refusal": "",
        "head": " · ".join(head(fitted)),
        "text": str(fitted.law),
        "formula": f"{fitted.law.family.formula}, C in {fitted.law.unit}",
        "level": INTERVAL,
        "parameters": rows,
        "checks": list(checks(fitted)),
        "residual": f"{rms(fitted.residuals):.2g}",
        "left_one_out": f"{fitted.left_one_out:.2g}",
        "ahead": ahead(fitted)[1],
        "frontier": fitted.frontier["members"].explode().tolist(),  # of means all of their seeds
        "seeds": int(fitted.frontier["seeds"].max()),
        "averaged": len(fitted.average.members) > 1,  # the line is then that of several families
        "held_out": known([vars(run) for run in fitted.held_out]),
        "curve": _curve(fitted, table.usable(wanted.metric, wanted.compute)),
    }


def _curve(fitted: Fitted, runs: DataFrame) -> Document:
    """The law with its band from the cheapest run to ten times the dearest, and the ends of its frontier."""
    ends = fitted.frontier[fitted.x].to_numpy(float)[[0, -1]]
    spent = runs[fitted.x].to_numpy(float)
    across = np.union1d(np.geomspace(spent.min(), AHEAD * spent.max(), _POINTS), ends)
    low, high = fitted.band(across)
    columns = {"x": across, "y": fitted(across), "low": low, "high": high, "ends": ends}
    return {name: known(rounded(values)) for name, values in columns.items()}


def rounded(values: Floats, digits: int = _DIGITS) -> list[float]:
    """Numbers with so many significant digits."""
    return [float(f"{value:.{digits}g}") for value in values]


def backtest_documents(table: Table, ask: Ask) -> Iterator[Document]:
    """Yield the backtest of each law of a study that has one, in the lines of `scalectl fit --backtest`."""
    for wanted, family in own_fits(ask):
        if family:
            continue
        try:
            test = tested(table, wanted, held_out_runs(table.points, wanted, None))
        except Refusal:
            continue
        lines = [line.strip() for line in test.lines()]
        yield {"metric": wanted.metric, "x": wanted.compute, "lines": lines}
