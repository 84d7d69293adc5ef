"""A law estimated from a table of runs as they are, without a look at how such laws did before; `fitting` has that."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from scalectl.analysis.averaging import Average
from scalectl.analysis.bootstrap import around, around_log, widening
from scalectl.analysis.checks import RUN, checked, known_runs
from scalectl.analysis.enough import SPARE
from scalectl.analysis.law import Floats, Law
from scalectl.analysis.measured import measured_apart
from scalectl.analysis.noise import typical_images
from scalectl.analysis.report import Counts, Fitted, HeldOut, Simpler
from scalectl.analysis.runs import known_column
from scalectl.analysis.sample import Manner, averaged_cells, points_of
from scalectl.analysis.scales import Solved
from scalectl.analysis.table import Table
from scalectl.analysis.vocabulary import FRONTIER, SEEDS
from scalectl.analysis.warnings import averaged_settings, lucky_seeds, warnings


def estimated(
    points: pd.DataFrame | Table, metric: str, x: str, hold_out: Collection[str], manner: Manner, stretch: float = 1.0
) -> Fitted:
    """The law of `points` over the column `x`, without the runs whose ids are in `hold_out`; those are predicted.

    Intervals are `stretch` times as wide as the runs alone have them. Raises what `fit` raises.
    """
    table = Table.of(points)
    kept = carrying(table, metric, x, hold_out, manner)
    sample = kept.sample(metric, x, manner)
    *simpler, solved = sample.solutions(manner.family)
    families = [solved]
    if manner.law is None:
        families = [*simpler, solved]
    law, ends = sample.scales.law(solved), sample.scales.ends(solved.problem)
    drawn_BP = sample.draws(solved, manner.draws)
    members = sample.members(families, drawn_BP)
    fitted = Fitted(
        metric=metric,
        x=x,
        runs=manner.runs,
        largest=float(sample.runs[x].max()),
        law=law,
        intervals=_intervals(law, drawn_BP, stretch * widening(len(sample.fitted), len(law.values)), ends),
        frontier=sample.fitted,
        counts=_counts(table.rows, kept.rows, sample.runs),
        draws=drawn_BP,
        delta=solved.problem.delta * sample.scales.error,
        left_one_out=solved.left_one_out,
        simpler=tuple(Simpler(sample.scales.law(solution), _aicc_gain(solution, solved)) for solution in simpler),
        average=Average(members, typical_images(sample.cells, metric), manner.correlation, stretch),
        held_out=(),
    )
    fitted = replace(fitted, held_out=_held_out(table, fitted, hold_out, manner))
    if manner.draws:
        fitted = replace(fitted, luck=sample.luck(law))
    doubts = [*warnings(fitted, sample.lines, manner.draws, ends), *measured_apart(sample.runs, metric)]
    if manner.seeds == SEEDS[0]:
        doubts += averaged_settings(sample.runs, metric, x)
    elif manner.runs == FRONTIER:
        doubts += lucky_seeds(sample.runs, x)
    return replace(fitted, warnings=tuple(doubts))


def carrying(table: Table, metric: str, x: str, hold_out: Collection[str], manner: Manner) -> Table:
    """The runs that are not held out; raises Refused where they can't carry the law."""
    known_column(x)
    needed = [*RUN, x, "model"]
    if hold_out:
        needed.append("name")
    checked(table.points, needed)
    known_runs("hold_out", hold_out, table.rows)
    kept = table.without(hold_out)
    kept.sample(metric, x, manner).check(manner.family)
    return kept


def _intervals(
    law: Law, drawn: Floats, wider: float, ends: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """The 90 % interval of each parameter: of those that may be 0 as distances, of others as factors."""
    if not len(drawn):
        return {}
    intervals = {}
    for parameter, estimate, column in zip(law.family.parameters, law.values, drawn.T, strict=True):
        interval_around = around_log
        if parameter.scale.zero:
            interval_around = around
        low, high = interval_around(np.array(estimate), column, wider)
        least, most = ends.get(parameter.name, (0.0, np.inf))
        intervals[parameter.name] = (max(min(float(low), estimate), least), min(max(float(high), estimate), most))
    return intervals


def _counts(points: pd.DataFrame, kept: pd.DataFrame, runs: pd.DataFrame) -> Counts:
    done, diverged = (int((kept["state"] == state).sum()) for state in ("done", "diverged"))
    excluded = int(((kept["state"] == "done") & kept["excluded"]).sum())
    return Counts(len(runs), len(points) - len(kept), excluded, diverged, done - excluded - len(runs))


def _aicc_gain(simpler: Solved, solved: Solved) -> float | None:
    """AICc of the simpler law less that of this one; None where AICc is not defined."""
    if solved.points <= len(solved.problem.family.parameters) + SPARE:
        return None
    return simpler.aicc - solved.aicc


def _held_out(table: Table, fitted: Fitted, hold_out: Collection[str], manner: Manner) -> tuple[HeldOut, ...]:
    """The held-out runs that the law is about; their intervals hold the scatter of points as well."""
    points = table.rows
    if not hold_out or not points.loc[points["run"].isin(hold_out), fitted.metric].notna().any():
        return ()
    runs = table.usable(fitted.metric, fitted.x)
    held = runs["run"].isin(hold_out)
    means = averaged_cells(runs, fitted.metric, fitted.x, manner.seeds, held)
    would = points_of(means, fitted.metric, manner.runs)
    chosen = would[would["run"].isin(hold_out)]
    if chosen.empty:
        return ()
    compute = chosen[fitted.x].to_numpy(float)
    low, high = fitted.average.around(compute, fitted.residuals, seed=manner.seed)
    columns = (chosen["run"], chosen["name"], compute, fitted(compute), low, high, chosen[fitted.metric])
    return tuple(HeldOut(str(run), str(name), *map(float, row)) for run, name, *row in zip(*columns, strict=True))
