"""Robust least squares for the laws, many fits at once: Levenberg-Marquardt within bounds, in NumPy.

A thousand bootstrap draws are a thousand small fits, and take a fifth of a second in a batch. Compute and error are
scaled to about 1 before. The coordinates are chosen so that they hardly depend on each other: in place of the scale the
logarithm of the scaled term at compute 1, asinh of what may be 0 or range over decades, logarithms of what is positive.

Letters of shapes: B fits, N points, P parameters.
"""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.law import FLOOR, Family, Floats, Span

_ROUNDS = 300
_EXACT = 1e-6  # cost below which points lie on the law, as errors are about 1
_ARRIVED = 1e-12  # promised gain, as a share of the cost, below which a fit has arrived
_KEPT = 0.25  # of the promised gain, below which a step was too long: fits would swing from side to side of a valley
_SURE = 1e-3  # damping below which far points bend the step less, and at 0 not at all
_NUDGE = 1e-7  # of a coordinate, for slopes by differences


@dataclass(frozen=True)
class Problem:
    """Points of each fit, scaled, with how much each counts: 0 fills up rows that have fewer points."""

    family: Family
    compute: Floats  # [B, N], as are error and weight
    error: Floats
    weight: Floats
    noise: Floats  # of each error, the largest about 1: what residuals are counted in
    least: float  # compute of the first frontier point, as `most` is of the last; what may be 0 is counted in them
    most: float
    delta: float  # residuals beyond it count linearly, not squared
    price: float = 1.0  # how much a floor above the best point counts, which is what all but frontiers may have

    def rows(self, chosen: NDArray[np.bool_]) -> "Problem":
        """The problem of some of the fits."""
        arrays: dict[str, Any] = {name: array[chosen] for name, array in self._points().items()}
        return replace(self, **arrays)

    def repeated(self, number: int) -> "Problem":
        """The problem in which the first fit comes `number` times."""
        arrays: dict[str, Any] = {name: np.repeat(array[:1], number, axis=0) for name, array in self._points().items()}
        return replace(self, **arrays)

    def _points(self) -> dict[str, Floats]:
        return {"compute": self.compute, "error": self.error, "weight": self.weight, "noise": self.noise}

    def bounds(self) -> tuple[Floats, Floats]:
        """The least and largest coordinates [B, P]."""
        span = self.span
        shape = (len(span.best), len(self.family.parameters))
        low_BP, high_BP = np.empty(shape), np.empty(shape)
        for column, parameter in enumerate(self.family.parameters):
            low_BP[:, column], high_BP[:, column] = parameter.coordinates(span)
        return low_BP, high_BP

    @cached_property
    def span(self) -> Span:
        """What the bounds and starts of parameters depend on."""
        counts_BN = self.weight > 0
        best_B = np.where(counts_BN, self.error, np.inf).min(axis=1)
        worst_B = np.where(counts_BN, self.error, -np.inf).max(axis=1)
        return Span(self.least, self.most, best_B, worst_B)

    def params(self, coords_BP: Floats) -> Floats:
        """The parameters [..., B, P], in scaled units, that coordinates stand for."""
        params_BP = coords_BP.copy()
        for column, parameter in enumerate(self.family.parameters[1:], start=1):
            unit = parameter.unit(self.least, self.most)
            params_BP[..., column] = unit * parameter.scale.value(coords_BP[..., column])
        columns = (params_BP[..., column] for column in range(1, len(self.family.parameters)))
        params_BP[..., 0] = np.exp(coords_BP[..., 0]) / self.family.shape(1.0, *columns)
        return params_BP

    def predicted(self, coords_BP: Floats) -> Floats:
        """The error of each law at its points [..., B, N]."""
        return self.family.predictions(self.params(coords_BP), self.compute)

    def residual(self, coords_BP: Floats) -> Floats:
        """Predicted less measured error in units of the noise [..., B, N], and one column more where there is a floor.

        That is the price of a floor above the best point: as if the floor had been measured there once, with a noise
        that is the same share of the error as that of the largest error.
        """
        params_BP = self.params(coords_BP)
        off_BN = (self.family.predictions(params_BP, self.compute) - self.error) / self.noise
        if FLOOR not in self.family.parameters:
            return off_BN
        floor_B, best_B = params_BP[..., self.family.parameters.index(FLOOR)], self.span.best
        above_B = np.maximum(floor_B / np.maximum(best_B, _EXACT) - 1, 0)
        return np.concatenate([off_BN, above_B[..., None]], axis=-1)

    @cached_property
    def counted(self) -> Floats:
        """How much each residual counts."""
        if FLOOR not in self.family.parameters:
            return self.weight
        return np.concatenate([self.weight, np.full((len(self.weight), 1), self.price)], axis=1)

    def cost(self, residual_BN: Floats) -> Floats:
        """The weighted sum of Huber's loss [B]: half the square up to delta, linear beyond."""
        off_BN = np.abs(residual_BN)
        loss_BN = np.where(off_BN <= self.delta, off_BN**2 / 2, self.delta * (off_BN - self.delta / 2))
        return np.asarray((self.counted * loss_BN).sum(axis=1))

    def slopes(self, coords_BP: Floats, residual_BN: Floats) -> Floats:
        """The derivative of each residual by each coordinate [B, N or N + 1, P]."""
        nudges_P1P = _NUDGE * np.eye(coords_BP.shape[1])[:, None]
        return np.moveaxis((self.residual(coords_BP + nudges_P1P) - residual_BN) / _NUDGE, 0, 2)


def best(problem: Problem) -> tuple[Floats, float]:
    """The coordinates [P] and the cost of the first fit, the best from starts over the whole plausible range."""
    starts_BP = _starts(problem)
    coords_BP, cost_B = solve(problem.repeated(len(starts_BP)), starts_BP)
    chosen = int(cost_B.argmin())
    return coords_BP[chosen], float(cost_B[chosen])


def _starts(problem: Problem) -> Floats:
    """Starts [B, P] over all but the scale, with the level that meets the mean error above half a floor."""
    parameters, span = problem.family.parameters, problem.rows(np.arange(len(problem.error)) == 0).span
    known_N = problem.weight[0] > 0
    compute_N, error_N = problem.compute[0][known_N], problem.error[0][known_N]
    starts_BP = np.array(list(itertools.product(*(parameter.starts(span) for parameter in parameters))))
    params_BP = problem.params(starts_BP)
    columns = (params_BP[:, column, None] for column in range(1, len(parameters)))
    term_B = (params_BP[:, :1] * problem.family.shape(compute_N, *columns)).mean(axis=1)
    above_B = np.full(len(starts_BP), error_N.mean())
    if FLOOR in parameters:
        above_B -= params_BP[:, parameters.index(FLOOR)]
    starts_BP[:, 0] = np.log(np.maximum(above_B, 1e-9) / term_B)
    return starts_BP


def solve(problem: Problem, start_BP: Floats) -> tuple[Floats, Floats]:
    """The coordinates [B, P] and cost [B] of every fit, each going down from its start."""
    low_BP, high_BP = problem.bounds()
    coords_BP = np.clip(start_BP, low_BP, high_BP)
    off_BN = problem.residual(coords_BP)
    cost_B = problem.cost(off_BN)
    damping_B = np.full(len(coords_BP), 1e-2)
    going = np.arange(len(coords_BP))
    some = problem
    for _ in range(_ROUNDS):
        low, high, old_BP, old_B = low_BP[going], high_BP[going], coords_BP[going], cost_B[going]
        step_BP, hoped_B = _step(some, old_BP, off_BN[going], low, high, damping_B[going])
        new_BP = np.clip(old_BP + step_BP, low, high)
        new_BN = some.residual(new_BP)
        new_B = some.cost(new_BN)
        gained_B = new_B < old_B
        off_BN[going] = np.where(gained_B[:, None], new_BN, off_BN[going])
        coords_BP[going] = np.where(gained_B[:, None], new_BP, old_BP)
        cost_B[going] = np.where(gained_B, new_B, old_B)
        damping_B[going] *= np.where(old_B - new_B > _KEPT * hoped_B, 0.2, 5.0)
        on_B = hoped_B > _ARRIVED * np.maximum(old_B, _EXACT)
        if not on_B.all():
            going, some = going[on_B], some.rows(on_B)
        if not len(going):
            break
    return coords_BP, cost_B


def _step(
    problem: Problem, coords_BP: Floats, off_BN: Floats, low_BP: Floats, high_BP: Floats, damping_B: Floats
) -> tuple[Floats, Floats]:
    """The damped step [B, P] and the gain [B] that it promises; a coordinate that its bound holds stays there.

    Far from the end the normal matrix has the weights of reweighted least squares, which is safe and slow. With ever
    less damping it becomes Huber's own, in which points beyond delta have no curvature.
    """
    slope_BNP = problem.slopes(coords_BP, off_BN)
    far_BN = np.abs(off_BN)
    pull_BN = problem.counted * np.clip(off_BN, -problem.delta, problem.delta)
    gradient_BP = (pull_BN[:, None] @ slope_BNP)[:, 0]
    held_BP = ((coords_BP <= low_BP) & (gradient_BP > 0)) | ((coords_BP >= high_BP) & (gradient_BP < 0))
    slope_BNP = np.where(held_BP[:, None, :], 0.0, slope_BNP)
    gradient_BP = np.where(held_BP, 0.0, gradient_BP)
    soft_BN = problem.counted * problem.delta / np.maximum(far_BN, problem.delta)
    share_BN = np.where(far_BN <= problem.delta, 1.0, np.minimum(1.0, damping_B / _SURE)[:, None])
    normal_BPP = np.swapaxes(slope_BNP * (share_BN * soft_BN)[..., None], 1, 2) @ slope_BNP
    size_BP = (soft_BN[:, None] @ slope_BNP**2)[:, 0]
    added_BP = damping_B[:, None] * size_BP + 1e-14 + held_BP
    normal_BPP = normal_BPP + np.eye(coords_BP.shape[1]) * added_BP[:, None, :]
    step_BP = np.asarray(-np.linalg.solve(normal_BPP, gradient_BP[..., None])[..., 0], float)
    return step_BP, -np.einsum("bp,bp->b", gradient_BP, step_BP)
