"""How far the law moves when the runs are drawn again: the frontier is found anew in each draw, and the law refitted.

Letters of shapes: B draws, N runs or points, R of them, P parameters.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.runs import is_best
from scalectl.analysis.solver import Problem, solve

LEVEL = 0.9  # of all intervals
HALF = 1.645  # standard deviations of a normal distribution from its middle to the ends of such an interval
_LEAST_FREE = 2  # degrees of freedom: of one, a t has hardly an end
# The shift that all runs have, in shifts of a draw: a draw has 1 - 1/e of the runs, and a shift falls as 1 / runs.
BIAS = math.e - 1
# A weight of (m - 1) / (m + 1) in variance has m runs of a trunk vary together as much as when it is drawn as a whole.
# Twice that makes up for trunks being few; docs/laws.md has the trial.
TOGETHER = 2.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """How runs [N] are drawn: what was measured, and numbers that are the same for repeats, and for runs of a trunk."""

    measured: Floats
    repeats: NDArray[np.int64]
    trunks: NDArray[np.int64]
    frontier: bool  # whether only the frontier of a draw counts

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The runs that count in some draw [R]: repeats are drawn together, so that on a frontier none of them counts
        that isn't better than those before it.
        """
        if not self.frontier:
            return np.arange(len(self.measured))
        least = pd.Series(self.measured).groupby(self.repeats).cummin()
        before_N = least.groupby(self.repeats).shift(fill_value=np.inf).to_numpy()
        return np.flatnonzero(self.measured < before_N)

    def weights(self, number: int, seed: int) -> Floats:
        """How often each of the `rows` counts in each draw [B, R], 0 for those that were not drawn or are not on its
        frontier.

        Repeats are drawn together. Runs of a trunk share its noise: they count by a weight of the trunk as well, of
        mean 1 (the Bayesian bootstrap; Rubin, 1981).
        """
        random, distinct = np.random.default_rng(seed), int(self.repeats.max()) + 1
        times_BR = random.multinomial(distinct, np.full(distinct, 1 / distinct), size=number)[
            :, self.repeats[self.rows]
        ]
        counted_BR = times_BR * self._of_trunks(number, random)
        if self.frontier:
            on_BR = is_best(np.where(times_BR > 0, self.measured[self.rows], np.inf))
            counted_BR = np.where(on_BR, counted_BR, 0)
        return np.asarray(counted_BR)

    def _of_trunks(self, number: int, random: np.random.Generator) -> Floats:
        """The weight of the trunk of each of the `rows` [B, R]; of a trunk with one run that counts it is 1."""
        trunks_R = self.trunks[self.rows]
        counts_R = np.ones(len(trunks_R), bool)
        if self.frontier:
            counts_R = is_best(self.measured[None, self.rows])[0]
        runs_T = np.bincount(trunks_R, counts_R)
        weight_BT = np.ones((number, len(runs_T)))
        for trunk in np.flatnonzero(runs_T > 1):
            variance = TOGETHER * (runs_T[trunk] - 1) / (runs_T[trunk] + 1)
            weight_BT[:, trunk] = random.gamma(1 / variance, variance, size=number)
        return weight_BT[:, trunks_R]


def redrawn(problem: Problem, drawn: Drawn, start_P: Floats, number: int, seed: int) -> Floats:
    """Coordinates [B, P] of up to `number` draws of the runs in the first row, each from `start_P`.

    Draws with too few distinct points for a law are left out.
    """
    weight_BR = drawn.weights(number, seed)
    enough_B = (weight_BR > 0).sum(axis=1) >= len(start_P)  # as many points as parameters
    if not enough_B.any():
        return np.empty((0, len(start_P)))
    draws = _packed(problem, drawn.rows, weight_BR[enough_B])
    return solve(draws, np.tile(start_P, (int(enough_B.sum()), 1)))[0]


def _packed(problem: Problem, rows_R: NDArray[np.int64], weight_BR: Floats) -> Problem:
    """The problem of the points that count, moved to the front of each row."""
    most = int((weight_BR > 0).sum(axis=1).max())
    front_BR = np.argsort(weight_BR == 0, axis=1, kind="stable")[:, :most]
    weight_BN = np.take_along_axis(weight_BR, front_BR, axis=1).astype(float)
    front_BN = rows_R[front_BR]
    compute_N, error_N, noise_N = problem.compute[0], problem.error[0], problem.noise[0]
    columns = {"compute": compute_N[front_BN], "error": error_N[front_BN], "noise": noise_N[front_BN]}
    return replace(problem, weight=weight_BN, **columns)


def widening(points: int, parameters: int) -> float:
    """The factor by which fitted residuals, and what is drawn from them, are too small."""
    return math.sqrt(points / (points - parameters))


def of_few(freedom: int) -> float:
    """The factor by which the square of Student's t at LEVEL is larger than that of the normal distribution, for so
    many degrees of freedom, or the fewest that it is taken for.

    By the first terms of Abramowitz and Stegun, 26.7.5, within 3 % of the factor: SciPy takes longer to import.
    """
    z, free = HALF, max(freedom, _LEAST_FREE)
    terms = (z**2 + 1) / 4, (5 * z**4 + 16 * z**2 + 3) / 96, (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / 384
    return (1 + sum(term / free**power for power, term in enumerate(terms, 1))) ** 2


def around(estimate: Floats, draws: Floats, wider: float) -> tuple[Floats, Floats]:
    """The ends of the 90 % interval of an estimate, given draws [B, ...] of it; NaN without draws.

    It reaches as far as 90 % of the draws stay from their median, `wider` times. The draws' shift from the estimate
    shows what fewer runs do to a frontier, so on the other side it reaches further by what that makes of all runs.
    """
    if not len(draws):
        return np.full(np.shape(estimate), np.nan), np.full(np.shape(estimate), np.nan)
    middle = np.median(draws, axis=0)
    far = wider * np.quantile(np.abs(draws - middle), LEVEL, axis=0)
    bias = BIAS * (middle - estimate)
    return estimate - far - np.maximum(bias, 0), estimate + far - np.minimum(bias, 0)


def around_log(estimate: Floats, draws: Floats, wider: float) -> tuple[Floats, Floats]:
    """The same interval for a positive quantity, as far in its logarithm."""
    low, high = around(np.log(estimate), np.log(draws), wider)
    with np.errstate(over="ignore"):  # an end beyond all numbers is infinite
        return np.exp(low), np.exp(high)
