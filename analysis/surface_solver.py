"""Robust least squares for L(N, D), many fits at once: variable projection, then Levenberg-Marquardt, in NumPy.

At given exponents the other three parameters are a linear problem. That finds the starts; from there all five go down
together, as logarithms of the three terms at the middle of the runs and the two exponents, with weights that turn
squares into Huber's loss.

Letters of shapes: B fits, N runs, P parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]

EXPONENTS = (0.01, 5.0)
_DELTA = 1e-3  # of log L; larger residuals count linearly
_STARTS = (0.1, 0.2, 0.35, 0.6, 1.0, 2.0)  # of both exponents
_KEPT = 4  # best starts
_LEAST_TERM = 1e-3  # of a start, as a share of the loss
_ROUNDS = 300
_NEAR, _ARRIVED = 1e-6, 1e-13  # relative gain below which a fit is near its end, and has arrived
_STUCK = 1e10  # damping above which no step gains anything


@dataclass(frozen=True)
class Losses:
    """Runs in logarithms relative to their middle, so that no unit matters."""

    log_n: Floats  # [N], as are the others
    log_d: Floats
    log_l: Floats
    middle: tuple[float, float, float]  # means of log N, log D and log L

    @staticmethod
    def of(n_N: Floats, d_N: Floats, l_N: Floats) -> "Losses":
        """Return the runs of sizes, data and losses above 0."""
        logs = [np.log(values) for values in (n_N, d_N, l_N)]
        middle = [float(values.mean()) for values in logs]
        log_n, log_d, log_l = (values - mean for values, mean in zip(logs, middle, strict=True))
        return Losses(log_n, log_d, log_l, (middle[0], middle[1], middle[2]))

    def laws(self, at_BP: Floats) -> Floats:
        """Return E, A, B, alpha and beta [B, 5] of the solver's parameters."""
        log_e, log_a, log_b, alpha, beta = at_BP.T
        n, d, level = self.middle
        terms = [log_e + level, log_a + level + alpha * n, log_b + level + beta * d]
        return np.stack([*map(np.exp, terms), alpha, beta], axis=1)

    def parameters(self, law_BP: Floats) -> Floats:
        """Return the solver's parameters [B, 5] of E, A, B, alpha and beta."""
        (log_e, log_a, log_b), (alpha, beta) = np.log(law_BP[:, :3]).T, law_BP[:, 3:].T
        n, d, level = self.middle
        return np.stack([log_e - level, log_a - level - alpha * n, log_b - level - beta * d, alpha, beta], axis=1)


def best(runs: Losses) -> tuple[Floats, float]:
    """Return E, A, B, alpha and beta of the least Huber loss, and that loss."""
    starts_BP = _starts(runs)
    once_BN = np.ones((len(starts_BP), len(runs.log_l)))
    near_BP, cost_B = _solve(runs, once_BN, starts_BP, _NEAR)
    at_BP, cost_B = _solve(runs, once_BN[:1], near_BP[[cost_B.argmin()]], _ARRIVED)
    return runs.laws(at_BP)[0], float(cost_B[0])


def redrawn(runs: Losses, law_P: Floats, number: int, seed: int) -> Floats:
    """Return E, A, B, alpha and beta [B, 5] of `number` draws of the runs with replacement, each from `law_P`."""
    count = len(runs.log_l)
    times_BN = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=number).astype(float)
    start_BP = np.tile(runs.parameters(law_P[None]), (number, 1))
    return runs.laws(_solve(runs, times_BN, start_BP, _NEAR)[0])


def _starts(runs: Losses) -> Floats:
    """Return the best starts [B, P] of a grid of exponents: the terms of least squares of L relative to L itself."""
    found = []
    for alpha in _STARTS:
        for beta in _STARTS:
            terms_N3 = np.stack([0 * runs.log_n, -alpha * runs.log_n, -beta * runs.log_d], axis=1)
            size_3, off = nnls(np.exp(terms_N3 - runs.log_l[:, None]), np.ones(len(runs.log_l)))
            found.append((off, *np.log(np.maximum(size_3, _LEAST_TERM)), alpha, beta))
    return np.array(sorted(found)[:_KEPT])[:, 1:]


def _solve(runs: Losses, weight_BN: Floats, start_BP: Floats, arrived: float) -> tuple[Floats, Floats]:
    """Return the parameters [B, P] and cost [B] of every fit, each going down from its start."""
    at_BP, cost_B = start_BP.copy(), _cost(runs, weight_BN, start_BP)
    damping_B = np.full(len(at_BP), 1e-2)
    going = np.arange(len(at_BP))
    for _ in range(_ROUNDS):
        old_BP, old_B, weights = at_BP[going], cost_B[going], weight_BN[going]
        new_BP = old_BP + _step(runs, weights, old_BP, damping_B[going])
        new_BP[:, 3:] = np.clip(new_BP[:, 3:], *EXPONENTS)
        new_B = _cost(runs, weights, new_BP)
        gained_B = new_B < old_B
        at_BP[going[gained_B]], cost_B[going[gained_B]] = new_BP[gained_B], new_B[gained_B]
        damping_B[going] = np.maximum(damping_B[going] * np.where(gained_B, 0.2, 5.0), 1e-12)
        arrived_B = gained_B & (old_B - new_B <= arrived * old_B)
        going = going[~(arrived_B | (damping_B[going] > _STUCK))]
        if not going.size:
            break
    return at_BP, cost_B


def _terms(runs: Losses, at_BP: Floats) -> tuple[Floats, Floats]:
    """Return residuals in log L [B, N] and the share of each term in the predicted loss [3, B, N]."""
    log_e, log_a, log_b, alpha, beta = at_BP.T[:, :, None]
    logs = np.stack(np.broadcast_arrays(log_e, log_a - alpha * runs.log_n, log_b - beta * runs.log_d))
    highest_BN = logs.max(axis=0)
    shares = np.exp(logs - highest_BN)
    total_BN = shares.sum(axis=0)
    return highest_BN + np.log(total_BN) - runs.log_l, shares / total_BN


def _cost(runs: Losses, weight_BN: Floats, at_BP: Floats) -> Floats:
    off_BN = np.abs(_terms(runs, at_BP)[0])
    loss_BN = np.where(off_BN <= _DELTA, off_BN**2 / 2, _DELTA * (off_BN - _DELTA / 2))
    return np.asarray((weight_BN * loss_BN).sum(axis=1))


def _step(runs: Losses, weight_BN: Floats, at_BP: Floats, damping_B: Floats) -> Floats:
    """Return the damped Gauss-Newton step."""
    off_BN, (e_BN, a_BN, b_BN) = _terms(runs, at_BP)
    weight_BN = weight_BN * np.minimum(1, _DELTA / np.maximum(np.abs(off_BN), 1e-300))
    slope_BNP = np.stack([e_BN, a_BN, b_BN, -a_BN * runs.log_n, -b_BN * runs.log_d], axis=2)
    weighted_BPN = np.swapaxes(slope_BNP * weight_BN[:, :, None], 1, 2)
    normal_BPP = weighted_BPN @ slope_BNP
    size_BP = np.einsum("bpp->bp", normal_BPP)
    normal_BPP = normal_BPP + np.eye(at_BP.shape[1]) * (damping_B[:, None] * size_BP + 1e-14)[:, None, :]
    return -np.linalg.solve(normal_BPP, weighted_BPN @ off_BN[:, :, None])[:, :, 0]
