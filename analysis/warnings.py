"""What in a fitted law should be doubted, as sentences."""

import shlex
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.law import FLOOR
from scalectl.analysis.lengths import Lines, cut_short, told
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, cells
from scalectl.analysis.store import metrics
from scalectl.analysis.values import rms, value
from scalectl.analysis.vocabulary import AXES, FRONTIER, come_again, is_error

DECADES = 1.0  # of compute, below which there is no law
SAFE_DECADES = 2.0  # below which its exponent is in doubt
EXPONENT_NEEDS = f"an exponent needs {DECADES:g} decade, a reliable one {SAFE_DECADES:g}"
_FEW = 6  # frontier points beyond its parameters below which a law's parameters can't be trusted one by one
_AHEAD = 10.0  # times the compute of the frontier's last point
_LOST = 0.05  # share of the draws


def decades(span: str) -> str:
    """A number of decades, as it is shown: 1 decade, 1.0 decades."""
    if span == "1":
        return "1 decade"
    return f"{span} decades"


def warnings(fit: Fitted, lines: Lines, draws: int, ends: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """Yield what the report warns of.

    `lines` are of all runs that could be on the frontier, `draws` is the number that was wanted, `ends` the least and
    largest of each parameter.
    """
    compute, parameters = np.unique(fit.frontier[fit.x].to_numpy(float)), len(fit.law.values)
    points, spanning = "frontier points", "frontier spans"
    if fit.runs != FRONTIER:
        points, spanning = f"values of {fit.x}", "runs span"
    if len(compute) < _FEW + parameters:
        few = f"{len(compute)} {points} for {parameters} parameters"
        yield f"{few}: trust the curve between them, not the parameters"
    if (span := np.log10(compute[-1] / compute[0])) < SAFE_DECADES:
        yield f"the {spanning} {span:.1f} decades of {AXES[fit.x].word}; {EXPONENT_NEEDS}"
    if fit.largest > _AHEAD * compute[-1]:
        yield _unbeaten(fit)
    if fit.runs == FRONTIER and fit.x == COMPUTE and (short := _short(lines, fit)):
        yield told(short)
    yield from _at_bounds(fit, ends)
    if (lost := draws - len(fit.draws)) > _LOST * draws:
        few = f"fewer than {parameters} {points}"
        yield f"{100 * lost / draws:.0f} % of the draws left {few}: the intervals are too narrow"
    yield from _of_runs(fit)


def _of_runs(fit: Fitted) -> Iterator[str]:
    if is_error(fit.metric) and float(fit.frontier[fit.metric].median()) > 1:
        yield "errors are fractions, and these are above 1: if they are per cent, divide by 100"
    if fit.counts.unmeasured == 1:
        yield f"one done run has no {fit.metric}: it is left out"
    elif fit.counts.unmeasured:
        yield f"{fit.counts.unmeasured} done runs have no {fit.metric}: they are left out"
    if fit.counts.held_out and not fit.held_out:
        yield "no held-out run would be on the frontier, so nothing was tested"
    for run in fit.held_out:
        if run.got < run.low or run.got > run.high:
            yield f"held out {run.name} lies outside its {100 * LEVEL:.0f} % interval"


def averaged_settings(runs: pd.DataFrame, metric: str, x: str) -> Iterator[str]:
    """Yield the metrics of imported runs that seem to be settings: they differ within cells, which are averaged as
    seeds, and come again in others.
    """
    if "origin" not in runs:
        return
    own = (runs["origin"].fillna("") == "").to_numpy(bool)
    if own.all():
        return
    cell_N = cells(runs, x)
    several = pd.Series(cell_N).duplicated(keep=False).to_numpy() & ~own
    if not several.any():
        return
    for name in metrics(runs):
        numbers = runs[name].to_numpy(float, na_value=np.nan)
        known = several & ~np.isnan(numbers)
        _, often = np.unique(numbers[known], return_counts=True)
        if name == metric or is_error(name) or not len(often) or often.min() == 1:
            continue
        groups = pd.Series(numbers[known]).groupby(cell_N[known]).apply(list)
        if come_again(list(groups)):
            yield (
                f"runs averaged as seeds differ in {name}, which has the same numbers in one setting after another:"
                f" if it is a setting, import them anew with --setting {shlex.quote(name)}"
            )


def lucky_seeds(runs: pd.DataFrame, x: str) -> Iterator[str]:
    """Yield that of several seeds of one cell, each a run of its own on a frontier, the luckiest counts."""
    if (most := int(np.bincount(cells(runs, x)).max())) > 1:
        yield (
            f"each seed is a run of its own, and of up to {most} in one cell the luckiest counts: the law lies too low"
            " by that luck, and its intervals don't hold it; seeds are averaged without --seeds each"
        )


def _short(lines: Lines, fit: Fitted) -> dict[str, float]:
    return cut_short(lines, fit.frontier, fit.law, rms(fit.residuals))


def _unbeaten(fit: Fitted) -> str:
    best = fit.frontier.iloc[-1]
    name, got = best.get("name", best["run"]), value(fit.metric, best[fit.metric])
    return (
        f"no run with more compute than {name} is better, though there are runs with"
        f" {fit.largest / best[fit.x]:.2g} times as much: look at it ({got}), and exclude it if it is no result"
    )


def _at_bounds(fit: Fitted, ends: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    params, best = fit.law.params(), float(fit.frontier[fit.metric].min())
    if FLOOR in fit.law.family.parameters:
        least, _ = fit.intervals.get(FLOOR.name, (1.0, 1.0))
        yield from _of_floor(fit.metric, params[FLOOR.name], best, least, frontier=fit.runs == FRONTIER)
    for parameter in fit.law.family.parameters:
        name, estimate = parameter.name.replace("_", " "), params[parameter.name]
        if parameter.scale.zero:
            if parameter.compute == 1 and estimate > float(fit.frontier[fit.x].max()):
                largest = f"the largest {AXES[fit.x].word} of the fitted points"
                yield f"the {name} is above {largest}: they are far from a power law"
        elif parameter.name in ends:
            low, high = ends[parameter.name]
            if not low * 1.001 < estimate < high / 1.001:
                yield f"the {name} is at its bound {estimate:.3g}"


def _of_floor(metric: str, floor: float, best: float, least: float, *, frontier: bool) -> Iterator[str]:
    if floor == 0:
        yield "the floor is at its bound 0: the points show no saturation at high compute"
    elif least == 0:
        yield "the points don't rule out a floor of 0"
    if frontier and floor > best > 0:
        yield (
            f"the floor, {value(metric, floor)}, is above the best point, {value(metric, best)}:"
            " that run is better than the law by luck, or the law is wrong there"
        )
