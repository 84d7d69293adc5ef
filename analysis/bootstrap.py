"""How far the law moves when the runs are drawn again: the frontier is found anew in each draw, and the law refitted.

Letters of shapes: B draws, N runs or points, P parameters.
"""

from dataclasses import replace

import numpy as np

from analysis.frontier import is_best
from analysis.laws import Floats
from analysis.solver import Problem, solve

LEVEL = 0.9  # of all intervals


def redrawn(problem: Problem, start_P: Floats, number: int, seed: int) -> Floats:
    """Return the coordinates [B, P] of up to `number` draws of the runs in the first row, each from `start_P`.

    A run that is drawn twice counts twice. Draws whose frontier has too few distinct points for a law are left out.
    """
    runs = problem.compute.shape[1]
    times_BN = np.random.default_rng(seed).multinomial(runs, np.full(runs, 1 / runs), size=number)
    drawn_BN = np.where(times_BN > 0, problem.error[0], np.inf)
    on_BN = is_best(drawn_BN)
    enough_B = on_BN.sum(axis=1) >= len(start_P)  # as many points as parameters
    if not enough_B.any():
        return np.empty((0, len(start_P)))
    draws = _packed(problem, np.where(on_BN, times_BN, 0)[enough_B])
    return solve(draws, np.tile(start_P, (int(enough_B.sum()), 1)))[0]


def _packed(problem: Problem, weight_BN: Floats) -> Problem:
    """Return the problem of the points that count, moved to the front of each row."""
    most = int((weight_BN > 0).sum(axis=1).max())
    front_BN = np.argsort(weight_BN == 0, axis=1, kind="stable")[:, :most]
    weight_BN = np.take_along_axis(weight_BN, front_BN, axis=1).astype(float)
    compute_N, error_N = problem.compute[0], problem.error[0]
    return replace(problem, compute=compute_N[front_BN], error=error_N[front_BN], weight=weight_BN)


def around(estimate: Floats, draws: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the interval as far from the estimate, to both sides, as 90 % of the draws [B, ...] stay.

    The frontier of a draw lies above that of all runs, so the draws' own quantiles would cover too seldom.
    Without draws both ends are NaN.
    """
    if not len(draws):
        return np.full(np.shape(estimate), np.nan), np.full(np.shape(estimate), np.nan)
    far = np.quantile(np.abs(draws - estimate), LEVEL, axis=0)
    return estimate - far, estimate + far


def around_log(estimate: Floats, draws: Floats) -> tuple[Floats, Floats]:
    """Return the same interval for a positive quantity, as far in its logarithm."""
    low, high = around(np.log(estimate), np.log(draws))
    return np.exp(low), np.exp(high)
