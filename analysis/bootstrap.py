"""How far the law moves when the runs are drawn again: the frontier is found anew in each draw, and the law refitted.

Letters of shapes: B draws, N runs or points, P parameters.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.runs import is_best
from scalectl.analysis.solver import Problem, solve

LEVEL = 0.9  # of all intervals
HALF = 1.645  # standard deviations of a normal distribution from its middle to the ends of such an interval
# The shift that all runs have, in shifts of a draw: a draw has 1 - 1/e of the runs, and a shift falls as 1 / runs.
BIAS = math.e - 1


def redrawn(
    problem: Problem, measured_N: Floats, start_P: Floats, repeats_N: NDArray[np.int64], number: int, seed: int
) -> Floats:
    """Coordinates [B, P] of up to `number` draws of the runs in the first row, each from `start_P`.

    The frontier is that of the measured errors. Runs of one number in `repeats_N` are drawn together, and count twice
    when it is drawn twice. Draws whose frontier has too few distinct points for a law are left out.
    """
    distinct = int(repeats_N.max()) + 1
    share = np.full(distinct, 1 / distinct)
    times_BN = np.random.default_rng(seed).multinomial(distinct, share, size=number)[:, repeats_N]
    drawn_BN = np.where(times_BN > 0, measured_N, np.inf)
    on_BN = is_best(drawn_BN)
    enough_B = on_BN.sum(axis=1) >= len(start_P)  # as many points as parameters
    if not enough_B.any():
        return np.empty((0, len(start_P)))
    draws = _packed(problem, np.where(on_BN, times_BN, 0)[enough_B])
    return solve(draws, np.tile(start_P, (int(enough_B.sum()), 1)))[0]


def _packed(problem: Problem, weight_BN: Floats) -> Problem:
    """The problem of the points that count, moved to the front of each row."""
    most = int((weight_BN > 0).sum(axis=1).max())
    front_BN = np.argsort(weight_BN == 0, axis=1, kind="stable")[:, :most]
    weight_BN = np.take_along_axis(weight_BN, front_BN, axis=1).astype(float)
    compute_N, error_N, noise_N = problem.compute[0], problem.error[0], problem.noise[0]
    columns = {"compute": compute_N[front_BN], "error": error_N[front_BN], "noise": noise_N[front_BN]}
    return replace(problem, weight=weight_BN, **columns)


def widening(points: int, parameters: int) -> float:
    """The factor by which fitted residuals, and what is drawn from them, are too small."""
    return math.sqrt(points / (points - parameters))


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
    return np.exp(low), np.exp(high)
