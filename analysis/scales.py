"""The points of a frontier in units in which no fit depends on theirs, and a family's fit to them.

Letters of shapes: B fits, N points, P parameters.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from scalectl.analysis.law import Family, Floats, Law
from scalectl.analysis.solver import Problem, best, solve
from scalectl.analysis.vocabulary import AXES

HUBER = 0.01  # of the range of errors on the frontier
_LIKELY = 1.5  # standard deviations of noise, where it is known, within which residuals count squared


@dataclass(frozen=True)
class Scales:
    """What compute and error are divided by, so that no fit depends on their units."""

    compute: float
    error: float
    least: float
    most: float
    noise: float
    delta: float
    unit: str
    price: float  # of a floor above the best point

    @staticmethod
    def of_points(points: pd.DataFrame, metric: str, x: str, price: float) -> "Scales":
        """The scales of the points that a law is fitted to: their middle compute and largest error."""
        compute_N, error_N, noise_N = (points[name].to_numpy(float) for name in (x, metric, "noise"))
        delta = HUBER * float(np.ptp(error_N))
        if points["noise_known"].all():
            delta = max(delta, _LIKELY * float(noise_N.max()))
        middle = float(np.exp(np.log(compute_N).mean()))
        ends = (float(compute_N[0]), float(compute_N[-1]))
        return Scales(middle, float(error_N.max()), *ends, float(noise_N.max()), delta, AXES[x].unit, price)

    def problem(self, points: pd.DataFrame, x: str, form: Family) -> Problem:
        """The fit of these points to what their errors would be without luck, each counting once."""
        compute_1N = points[x].to_numpy(float)[None] / self.compute
        error_1N = points["expected"].to_numpy(float)[None] / self.error
        ends = (self.least / self.compute, self.most / self.compute)
        noise_1N = points["noise"].to_numpy(float)[None] / self.noise
        weight_1N, delta = np.ones_like(error_1N), self.delta / self.error
        return Problem(form, compute_1N, error_1N, weight_1N, noise_1N, *ends, delta, self.price)

    def params(self, problem: Problem, coords_BP: Floats) -> Floats:
        """The parameters [B, P] in the units of the points."""
        return problem.family.in_units(problem.params(coords_BP), self.compute, self.error)

    def ends(self, problem: Problem) -> dict[str, tuple[float, float]]:
        """The least and largest that each parameter may be, but for the scale, which has no bounds."""
        low_P, high_P = (self.params(problem, ends_1P)[0] for ends_1P in problem.bounds())
        ends = zip(problem.family.names, map(float, low_P), map(float, high_P), strict=True)
        return {name: (low, high) for name, low, high in list(ends)[1:]}

    def law(self, solved: "Solved") -> Law:
        """The law that the coordinates of the solver stand for."""
        values = self.params(solved.problem, solved.coords[None])[0]
        return Law(solved.problem.family, tuple(map(float, values)), self.unit)


@dataclass(frozen=True, eq=False)
class Solved:
    """A family's fit to the frontier."""

    problem: Problem
    coords: Floats
    cost: float

    @staticmethod
    def of(problem: Problem) -> "Solved":
        """The best fit of the problem."""
        return Solved(problem, *best(problem))

    @property
    def points(self) -> int:
        """How many points the frontier has."""
        return self.problem.compute.shape[1]

    @property
    def aicc(self) -> float:
        """AICc from Huber's loss, which stands for half the sum of squares; only for points enough to define it."""
        count = len(self.problem.family.parameters) + 1  # the spread is one more
        correction = 2 * count * (count + 1) / (self.points - count - 1)
        return float(self.points * np.log(max(self.cost, 1e-300) / self.points) + 2 * count + correction)

    @cached_property
    def left_one_out(self) -> float:
        """The rms log error of each point, predicted by the fit to the others."""
        without = replace(self.problem.repeated(self.points), weight=1.0 - np.eye(self.points))
        coords_BP, _ = solve(without, np.tile(self.coords, (self.points, 1)))
        measured_N, predicted_N = self.problem.error[0], np.diag(without.predicted(coords_BP))
        positive_N = measured_N > 0
        return float(np.sqrt(np.mean(np.log(predicted_N[positive_N] / measured_N[positive_N]) ** 2)))
