"""A law fitted to the frontier of a table of runs; docs/laws.md says how, and why so.

Letters of shapes: B fits, N points, P parameters.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.bootstrap import around, around_log, redrawn, widening
from analysis.checks import RUN, checked
from analysis.laws import DOUBLY_SATURATING, NESTED, Family, Floats, Law
from analysis.refusal import Refused
from analysis.report import Counts, Fitted, HeldOut, Simpler
from analysis.runs import UNITS, front_of, frontier, places, usable
from analysis.solver import Problem, best, solve
from analysis.warnings import doubts

SPARE = 2  # frontier points that a law needs beyond its parameters
DECADES = 1.0  # of compute that it needs
RISING = 0.5  # rank correlation with compute above which a metric is taken for one that rises
DRAWS = 1000
HUBER = 0.01  # of the range of errors on the frontier


def fit(
    points: pd.DataFrame,
    metric: str = "upstream/error",
    compute: str = "flops",
    *,
    family: Family = DOUBLY_SATURATING,
    hold_out: Collection[str] = (),
    one_model: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Fitted:
    """Return the law of the frontier of `points`, without the runs whose ids are in `hold_out`; those are predicted.

    With no `draws` it is quick, and every interval is unknown: `intervals` is empty, ends of bands are NaN.
    Raises Refused for columns that are missing, for a metric or values that can't be fitted, below two frontier points
    more than parameters, below a decade of compute, and, unless `one_model` says that this is meant, where one model
    has the whole frontier.
    """
    points = checked(points, (*RUN, compute, "model", *(["name"] if hold_out else [])))
    kept = points[~points["run"].isin(hold_out)] if hold_out else points
    runs = usable(kept, metric, compute)
    front = front_of(runs, metric)
    _enough(front, runs, metric, compute, family, one_model)
    scales = _Scales.of(front[compute].to_numpy(float), front[metric].to_numpy(float), UNITS[compute])
    problem = scales.problem(front[compute], front[metric], family)
    at_P, cost = best(problem)
    drawn_BP = np.empty((0, len(at_P)))
    if draws:
        every = scales.problem(runs[compute], runs[metric], family)
        drawn_BP = redrawn(every, at_P, places(runs, compute), draws, seed)
    law, drawn, ends = scales.law(problem, at_P), scales.params(problem, drawn_BP), scales.ends(problem)
    found = Fitted(
        metric=metric,
        compute=compute,
        law=law,
        intervals=_intervals(law, drawn, len(front), ends),
        frontier=front,
        counts=_counts(points, kept, runs),
        draws=drawn,
        delta=problem.delta * scales.error,
        left_one_out=_left_one_out(problem, at_P),
        simpler=_simpler(problem, cost, scales),
        held_out=(),
    )
    found = replace(found, held_out=_held_out(points, found, hold_out, seed))
    return replace(found, warnings=tuple(doubts(found, draws, float(runs[compute].max()), ends)))


def _enough(
    front: pd.DataFrame, runs: pd.DataFrame, metric: str, compute: str, family: Family, one_model: bool
) -> None:
    """Raise Refused where a frontier can't carry a law."""
    needed, asked = len(family.parameters) + SPARE, f"refused: {metric} vs {compute} has"
    if len(front) < needed:
        points = "1 frontier point" if len(front) == 1 else f"{len(front)} frontier points"
        remedy = "Add budgets or model sizes, so that more runs are the best at their compute."
        if runs[[compute, metric]].corr("spearman").iloc[0, 1] > RISING:
            remedy = f"{metric} rises with compute: a law is of what falls, such as an error or a loss."
        short = f"{points} among {len(runs)} runs, and a law with {needed - SPARE} parameters needs {needed}"
        raise Refused(f"{asked} {short}. {remedy}")
    if (span := float(np.log10(front[compute].iloc[-1] / front[compute].iloc[0]))) < DECADES:
        raise Refused(
            f"{asked} a frontier over {span:.2g} decades of compute, and an exponent needs {DECADES:g}. Add smaller"
            f" or larger budgets."
        )
    if not one_model and front["model"].nunique() == 1:
        raise Refused(
            f"{asked} all of its frontier on one model, {front['model'].iloc[0]}: that is its learning curve, not the"
            f" law of a study. Add model sizes, or say --by model for the law of each model."
        )


@dataclass(frozen=True)
class _Scales:
    """What compute and error are divided by, so that no fit depends on their units."""

    compute: float
    error: float
    least: float
    most: float
    delta: float
    unit: str

    @staticmethod
    def of(compute_N: Floats, error_N: Floats, unit: str) -> "_Scales":
        """Return the scales of a frontier: its middle compute and its largest error."""
        delta = HUBER * float(error_N[0] - error_N[-1])
        middle = float(np.exp(np.log(compute_N).mean()))
        return _Scales(middle, float(error_N[0]), float(compute_N[0]), float(compute_N[-1]), delta, unit)

    def problem(self, compute: pd.Series, error: pd.Series, family: Family) -> Problem:
        """Return the fit of these points, each counting once."""
        compute_1N = compute.to_numpy(float)[None] / self.compute
        error_1N = error.to_numpy(float)[None] / self.error
        ends = (self.least / self.compute, self.most / self.compute)
        return Problem(family, compute_1N, error_1N, np.ones_like(error_1N), *ends, self.delta / self.error)

    def params(self, problem: Problem, at_BP: Floats) -> Floats:
        """Return the parameters [B, P] in the units of the points."""
        return problem.family.in_units(problem.params(at_BP), self.compute, self.error)

    def ends(self, problem: Problem) -> dict[str, tuple[float, float]]:
        """Return the least and largest that each parameter may be, but for the scale, which has no bounds."""
        low_P, high_P = (self.params(problem, ends_1P)[0] for ends_1P in problem.bounds())
        return {name: (float(low_P[n]), float(high_P[n])) for n, name in enumerate(problem.family.names) if n}

    def law(self, problem: Problem, at_P: Floats) -> Law:
        """Return the law that these coordinates of the solver stand for."""
        return Law(problem.family, tuple(map(float, self.params(problem, at_P[None])[0])), self.unit)


def _intervals(
    law: Law, drawn: Floats, points: int, ends: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Return the 90 % interval of each parameter: of those that may be 0 as distances, of others as factors."""
    if not len(drawn):
        return {}
    found, wider = {}, widening(points, len(law.values))
    for (name, estimate), column in zip(law.params().items(), drawn.T, strict=True):
        distance = name in ("offset", "floor", "bend")
        low, high = (around if distance else around_log)(np.array(estimate), column, wider)
        least, most = ends.get(name, (0.0, np.inf))
        found[name] = (max(float(low), least), min(float(high), most))
    return found


def _counts(points: pd.DataFrame, kept: pd.DataFrame, runs: pd.DataFrame) -> Counts:
    done, diverged = (int((kept["state"] == state).sum()) for state in ("done", "diverged"))
    excluded = int(((kept["state"] == "done") & kept["excluded"].astype(bool)).sum())
    return Counts(len(runs), len(points) - len(kept), excluded, diverged, done - excluded - len(runs))


def _left_one_out(problem: Problem, at_P: Floats) -> float:
    """Return the rms log error of each point, predicted by the fit to the others."""
    points = problem.compute.shape[1]
    others = replace(problem.repeated(points), weight=1.0 - np.eye(points))
    at_BP, _ = solve(others, np.tile(at_P, (points, 1)))
    measured_N, predicted_N = problem.error[0], np.diag(others.predicted(at_BP))
    positive = measured_N > 0
    return float(np.sqrt(np.mean(np.log(predicted_N[positive] / measured_N[positive]) ** 2)))


def _simpler(problem: Problem, cost: float, scales: _Scales) -> tuple[Simpler, ...]:
    """Return the nested laws with fewer parameters, fitted to the same points, fewest parameters first."""
    found = []
    for family in NESTED:
        if len(family.parameters) < len(problem.family.parameters):
            other = replace(problem, family=family)
            at_P, other_cost = best(other)
            found.append(Simpler(scales.law(other, at_P), _aicc_gain(problem, cost, other, other_cost)))
    return tuple(found)


def _aicc_gain(problem: Problem, cost: float, other: Problem, other_cost: float) -> float | None:
    """Return AICc of the other law less that of this one, from Huber's loss; None where AICc is not defined."""
    points = problem.compute.shape[1]

    def aicc(cost: float, family: Family) -> float:
        count = len(family.parameters) + 1  # the spread is one more
        correction = 2 * count * (count + 1) / (points - count - 1)
        return float(points * np.log(max(cost, 1e-300) / points) + 2 * count + correction)

    if points <= len(problem.family.parameters) + SPARE:
        return None
    return aicc(other_cost, other.family) - aicc(cost, problem.family)


def _held_out(points: pd.DataFrame, found: Fitted, hold_out: Collection[str], seed: int) -> tuple[HeldOut, ...]:
    """Return the held-out runs that would be on the frontier; their intervals hold the scatter of points as well."""
    if not points.loc[points["run"].isin(hold_out), found.metric].notna().any():
        return ()
    front = frontier(points, found.metric, found.compute)
    chosen = front[front["run"].isin(hold_out)]
    if chosen.empty:
        return ()
    compute = chosen[found.compute].to_numpy(float)
    drawn_BN = np.log(found.law.family.predictions(found.draws, compute))
    scatter_BN = np.random.default_rng(seed).choice(found.residuals, size=drawn_BN.shape)
    low, high = around_log(found.law(compute), np.exp(drawn_BN + scatter_BN), found.wider)
    columns = (chosen["run"], chosen["name"], compute, found.law(compute), low, high, chosen[found.metric])
    return tuple(HeldOut(str(run), str(name), *map(float, rest)) for run, name, *rest in zip(*columns, strict=True))
