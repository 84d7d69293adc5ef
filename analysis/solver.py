"""Robust least squares for the law, many fits at once: Levenberg-Marquardt within bounds, in NumPy.

A thousand bootstrap draws are a thousand small fits, and take half a second in a batch. Compute and error are scaled to
about 1 before. The parameters are chosen so that they hardly depend on each other:

    E = exp(level) ((C + offset) / (1 + offset))^-exp(log_exponent) + floor,   offset = unit sinh(bend)

Letters of shapes: B fits, N points, P parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL, LOG_EXPONENT, BEND, FLOOR = range(4)
FREE = (True, True, True, True)
POWER_LAW = (True, True, False, False)  # offset and floor stay where they start, at 0
EXPONENTS = (0.01, 5.0)
_STARTS = (0.1, 0.2, 0.35, 0.6, 1.0, 2.0)
_BENDS = 6
_OFFSET_SPAN = 10.0  # the offset ends at this many times the largest compute
_ROUNDS = 300
_ARRIVED = 1e-12  # relative gain below which a fit has arrived
_STUCK = 1e10  # damping above which no step gains anything


@dataclass(frozen=True)
class Problem:
    """Points of each fit, scaled, with how much each counts: 0 fills up rows that have fewer points."""

    compute: Floats  # [B, N], as are error and weight
    error: Floats
    weight: Floats
    unit: float  # the compute at which the offset turns from linear, so that 0 can be reached, to logarithmic
    delta: float  # residuals beyond it count linearly, not squared

    def rows(self, chosen: NDArray[np.bool_]) -> "Problem":
        """Return the problem of some of the fits."""
        return Problem(self.compute[chosen], self.error[chosen], self.weight[chosen], self.unit, self.delta)

    def repeated(self, number: int) -> "Problem":
        """Return the problem in which the first fit comes `number` times."""
        compute, error, weight = (
            np.repeat(array[:1], number, axis=0) for array in (self.compute, self.error, self.weight)
        )
        return Problem(compute, error, weight, self.unit, self.delta)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and largest parameters [B, P]: no offset or floor below 0, no floor above the best point."""
        best_B = np.where(self.weight > 0, self.error, np.inf).min(axis=1)
        bend = np.arcsinh(_OFFSET_SPAN * self.compute.max() / self.unit)
        low_BP = np.tile([-50.0, np.log(EXPONENTS[0]), 0.0, 0.0], (len(best_B), 1))
        high_BP = np.tile([50.0, np.log(EXPONENTS[1]), bend, 0.0], (len(best_B), 1))
        high_BP[:, FLOOR] = best_B
        return low_BP, high_BP

    def terms(self, at_BP: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the offset [B, 1], the log of the base [B, N] and the power term [B, N]."""
        offset_B1 = self.unit * np.sinh(at_BP[:, BEND, None])
        log_BN = np.log((self.compute + offset_B1) / (1 + offset_B1))
        return offset_B1, log_BN, np.exp(at_BP[:, LEVEL, None] - np.exp(at_BP[:, LOG_EXPONENT, None]) * log_BN)

    def residual(self, at_BP: Floats) -> Floats:
        """Return predicted less measured error [B, N]."""
        return self.terms(at_BP)[2] + at_BP[:, FLOOR, None] - self.error

    def cost(self, at_BP: Floats) -> Floats:
        """Return the weighted sum of Huber's loss [B]: half the square up to delta, linear beyond."""
        off_BN = np.abs(self.residual(at_BP))
        loss_BN = np.where(off_BN <= self.delta, off_BN**2 / 2, self.delta * (off_BN - self.delta / 2))
        return np.asarray((self.weight * loss_BN).sum(axis=1))

    def slopes(self, at_BP: Floats) -> Floats:
        """Return the derivative of each prediction by each parameter [B, N, P]."""
        offset_B1, log_BN, power_BN = self.terms(at_BP)
        exponent_B1 = np.exp(at_BP[:, LOG_EXPONENT, None])
        by_offset_BN = -exponent_B1 * power_BN * (1 / (self.compute + offset_B1) - 1 / (1 + offset_B1))
        by_bend_BN = by_offset_BN * self.unit * np.cosh(at_BP[:, BEND, None])
        return np.stack([power_BN, -exponent_B1 * log_BN * power_BN, by_bend_BN, np.ones_like(power_BN)], axis=2)


def best(problem: Problem, free: tuple[bool, ...] = FREE) -> tuple[Floats, float]:
    """Return the parameters [P] and the cost of the first fit, the best from starts over the whole plausible range."""
    starts_BP = _starts(problem, free)
    at_BP, cost_B = solve(problem.repeated(len(starts_BP)), starts_BP, free)
    chosen = int(cost_B.argmin())
    return at_BP[chosen], float(cost_B[chosen])


def _starts(problem: Problem, free: tuple[bool, ...]) -> Floats:
    """Return starts [B, P] over exponents and offsets, with the level that meets the mean error above half a floor."""
    known_N = problem.weight[0] > 0
    compute_N, error_N = problem.compute[0][known_N], problem.error[0][known_N]
    reach = np.arcsinh(compute_N.max() / problem.unit) if free[BEND] else 0.0
    floor = error_N.min() / 2 if free[FLOOR] else 0.0
    found = []
    for exponent in _STARTS:
        for bend in np.linspace(0, reach, _BENDS) if free[BEND] else [0.0]:
            offset = problem.unit * np.sinh(bend)
            basis_N = ((compute_N + offset) / (1 + offset)) ** -exponent
            level = np.log(max(error_N.mean() - floor, 1e-9) / basis_N.mean())
            found.append((level, np.log(exponent), bend, floor))
    return np.array(found)


def solve(problem: Problem, start_BP: Floats, free: tuple[bool, ...] = FREE) -> tuple[Floats, Floats]:
    """Return the parameters [B, P] and cost [B] of every fit, each going down from its start."""
    low_BP, high_BP = problem.bounds()
    at_BP = np.clip(start_BP, low_BP, high_BP)
    cost_B = problem.cost(at_BP)
    damping_B = np.full(len(at_BP), 1e-2)
    going_B = np.ones(len(at_BP), bool)
    for _ in range(_ROUNDS):
        some = problem.rows(going_B)
        low, high, old_BP, old_B = low_BP[going_B], high_BP[going_B], at_BP[going_B], cost_B[going_B]
        new_BP = np.clip(old_BP + _step(some, old_BP, low, high, damping_B[going_B], free), low, high)
        new_B = some.cost(new_BP)
        gained_B = new_B < old_B
        at_BP[going_B] = np.where(gained_B[:, None], new_BP, old_BP)
        cost_B[going_B] = np.where(gained_B, new_B, old_B)
        damping_B[going_B] *= np.where(gained_B, 0.2, 5.0)
        arrived_B = gained_B & (old_B - new_B <= _ARRIVED * old_B)
        going_B[going_B] = ~(arrived_B | (damping_B[going_B] > _STUCK))
        if not going_B.any():
            break
    return at_BP, cost_B


def _step(
    problem: Problem, at_BP: Floats, low_BP: Floats, high_BP: Floats, damping_B: Floats, free: tuple[bool, ...]
) -> Floats:
    """Return the damped Gauss-Newton step; a parameter that its bound holds stays there."""
    off_BN = problem.residual(at_BP)
    weight_BN = problem.weight * np.minimum(1, problem.delta / np.maximum(np.abs(off_BN), 1e-300))
    slope_BNP = problem.slopes(at_BP)
    gradient_BP = np.einsum("bnp,bn->bp", slope_BNP, weight_BN * off_BN)
    held_BP = ~np.array(free) | ((at_BP <= low_BP) & (gradient_BP > 0)) | ((at_BP >= high_BP) & (gradient_BP < 0))
    slope_BNP = np.where(held_BP[:, None, :], 0.0, slope_BNP)
    normal_BPP = np.swapaxes(slope_BNP * weight_BN[..., None], 1, 2) @ slope_BNP
    size_BP = np.einsum("bpp->bp", normal_BPP)
    added_BP = damping_B[:, None] * size_BP + 1e-14 + held_BP
    normal_BPP = normal_BPP + np.eye(at_BP.shape[1]) * added_BP[:, None, :]
    return -np.linalg.solve(normal_BPP, np.where(held_BP, 0.0, gradient_BP)[..., None])[..., 0]
