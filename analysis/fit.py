"""A law fitted to the frontier of a table of runs; docs/laws.md says how, and why so.

Letters of shapes: B fits, N points, P parameters.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.bootstrap import around, around_log, redrawn
from analysis.doubts import doubts
from analysis.fitted import Counts, Fitted, HeldOut, predictions
from analysis.frontier import UNITS, frontier, usable
from analysis.laws import Law
from analysis.refusal import Refused
from analysis.solver import BEND, FLOOR, LEVEL, LOG_EXPONENT, POWER_LAW, Floats, Problem, best, solve

LEAST_POINTS = 6
DRAWS = 1000
HUBER = 0.01  # of the range of errors on the frontier


def fit(
    points: pd.DataFrame,
    metric: str = "upstream/error",
    compute: str = "flops",
    *,
    hold_out: Collection[str] = (),
    draws: int = DRAWS,
    seed: int = 0,
) -> Fitted:
    """Return the law of the frontier of `points`, without the runs whose ids are in `hold_out`; those are predicted.

    Raises Refused below 6 frontier points, and for a metric or values that can't be fitted.
    """
    kept = points[~points["run"].isin(hold_out)]
    runs = usable(kept, metric, compute)
    front = frontier(kept, metric, compute)
    if len(front) < LEAST_POINTS:
        raise Refused(_too_few(len(front), len(runs), metric, compute))
    scales = _Scales.of(front[compute].to_numpy(float), front[metric].to_numpy(float), UNITS[compute])
    problem = scales.problem(front[compute], front[metric])
    at_P, cost = best(problem)
    power_P, power_cost = best(problem, POWER_LAW)
    drawn_BP = redrawn(scales.problem(runs[compute], runs[metric]), at_P, draws, seed)
    law, drawn = scales.law(at_P), scales.params(drawn_BP)
    ceiling = float(front[metric].iloc[-1])
    found = Fitted(
        metric=metric,
        compute=compute,
        law=law,
        intervals=_intervals(law, drawn, ceiling),
        frontier=front,
        counts=_counts(points, kept, runs, metric),
        draws=drawn,
        delta=problem.delta * scales.error,
        left_one_out=_left_one_out(problem, at_P),
        power_law=scales.law(power_P),
        aic_gain=_aic_gain(len(front), cost, power_cost),
        held_out=(),
    )
    found = replace(found, held_out=_held_out(points, found, hold_out, seed))
    return replace(found, warnings=tuple(doubts(found, draws)))


def _too_few(on: int, runs: int, metric: str, compute: str) -> str:
    return (
        f"refused: {metric} vs {compute} has {on} frontier points among {runs} runs, and a law with 4 parameters needs"
        f" {LEAST_POINTS}. Add budgets or model sizes, so that more runs are the best at their compute."
    )


@dataclass(frozen=True)
class _Scales:
    """What compute and error are divided by, so that no fit depends on their units."""

    compute: float
    error: float
    least: float
    delta: float
    unit: str

    @staticmethod
    def of(compute_N: Floats, error_N: Floats, unit: str) -> "_Scales":
        """Return the scales of a frontier: its middle compute and its largest error."""
        delta = HUBER * float(error_N[0] - error_N[-1])
        return _Scales(float(np.exp(np.log(compute_N).mean())), float(error_N[0]), float(compute_N[0]), delta, unit)

    def problem(self, compute: pd.Series, error: pd.Series) -> Problem:
        """Return the fit of these points, each counting once."""
        compute_1N = compute.to_numpy(float)[None] / self.compute
        error_1N = error.to_numpy(float)[None] / self.error
        weight_1N = np.ones_like(error_1N)
        return Problem(compute_1N, error_1N, weight_1N, self.least / self.compute, self.delta / self.error)

    def params(self, at_BP: Floats) -> Floats:
        """Return scale, offset, exponent and floor [B, 4] in the units of the points."""
        exponent_B = np.exp(at_BP[:, LOG_EXPONENT])
        offset_B = self.least / self.compute * np.sinh(at_BP[:, BEND])
        scale_B = np.exp(at_BP[:, LEVEL]) * ((1 + offset_B) * self.compute) ** exponent_B * self.error
        return np.stack([scale_B, offset_B * self.compute, exponent_B, at_BP[:, FLOOR] * self.error], axis=1)

    def law(self, at_P: Floats) -> Law:
        """Return the law that these parameters of the solver stand for."""
        scale, offset, exponent, floor = map(float, self.params(at_P[None])[0])
        return Law(scale, offset, exponent, floor, self.unit)


def _intervals(law: Law, drawn: Floats, ceiling: float) -> dict[str, tuple[float, float]]:
    """Return the 90 % interval of each parameter: scale and exponent as factors, offset and floor as distances."""
    found = {}
    for (name, estimate), column in zip(law.params().items(), drawn.T, strict=True):
        low, high = (around_log if name in ("scale", "exponent") else around)(np.array(estimate), column)
        most = ceiling if name == "floor" else np.inf
        found[name] = (max(float(low), 0.0), min(float(high), most))
    return found


def _counts(points: pd.DataFrame, kept: pd.DataFrame, runs: pd.DataFrame, metric: str) -> Counts:
    done = kept["state"] == "done"
    excluded = int((done & kept["excluded"].astype(bool)).sum())
    return Counts(len(runs), len(points) - len(kept), excluded, int(done.sum()) - excluded - len(runs))


def _left_one_out(problem: Problem, at_P: Floats) -> float:
    """Return the rms log error of each point, predicted by the fit to the others."""
    points = problem.compute.shape[1]
    others = replace(problem.repeated(points), weight=1.0 - np.eye(points))
    at_BP, _ = solve(others, np.tile(at_P, (points, 1)))
    measured_N = problem.error[0]
    predicted_N = np.diag(others.residual(at_BP)) + measured_N
    positive = measured_N > 0
    return float(np.sqrt(np.mean(np.log(predicted_N[positive] / measured_N[positive]) ** 2)))


def _aic_gain(points: int, cost: float, power_cost: float) -> float | None:
    """Return AICc of the pure power law less that of the law, from Huber's loss; None where AICc is not defined."""

    def aicc(cost: float, parameters: int) -> float:
        count = parameters + 1  # the spread is one more
        correction = 2 * count * (count + 1) / (points - count - 1)
        return float(points * np.log(max(cost, 1e-300) / points) + 2 * count + correction)

    return aicc(power_cost, 2) - aicc(cost, 4) if points > LEAST_POINTS else None


def _held_out(points: pd.DataFrame, found: Fitted, hold_out: Collection[str], seed: int) -> tuple[HeldOut, ...]:
    """Return the held-out runs that would be on the frontier; their intervals hold the scatter of points as well."""
    every = points[points["run"].isin(hold_out)]
    if every.dropna(subset=[found.metric]).empty:
        return ()
    front = frontier(points, found.metric, found.compute)
    chosen = front[front["run"].isin(hold_out)]
    if chosen.empty:
        return ()
    compute = chosen[found.compute].to_numpy(float)
    drawn_BN = np.log(predictions(found.draws, compute))
    scatter_BN = np.random.default_rng(seed).choice(found.residuals, size=drawn_BN.shape)
    low, high = around_log(found.law(compute), np.exp(drawn_BN + scatter_BN))
    columns = (chosen["run"], chosen["name"], compute, found.law(compute), low, high, chosen[found.metric])
    return tuple(HeldOut(str(run), str(name), *map(float, rest)) for run, name, *rest in zip(*columns, strict=True))
