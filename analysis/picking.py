"""The runs that a budget is spent on, one after the other; docs/advice.md says how.

Letters of shapes: M candidates, P places of theirs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.outlook import Outlook

_FEW, _MOST = 10, 7 / 8  # runs below which the law is hardly known; share of a budget that one may take until then


@dataclass(frozen=True, eq=False)
class Costs:
    """What candidates cost: `own` of each, and `shared` of its trunk less what was paid of that."""

    own: Floats
    shared: Floats
    paid: Floats
    trunk: Any  # [M] of names

    @staticmethod
    def of_candidates(candidates: pd.DataFrame, x: str) -> "Costs":
        """The costs in a table, where runs without trunks share nothing."""
        spent, none = candidates[x].to_numpy(float), np.zeros(len(candidates))
        if "trunk" not in candidates:
            return Costs(spent, none, none, np.arange(len(candidates)))
        shared, paid = candidates["shared"].to_numpy(float), candidates["paid"].to_numpy(float)
        return Costs(spent - shared, shared, paid, candidates["trunk"].to_numpy())

    def now(self) -> Floats:
        """What each candidate costs next."""
        return self.own + np.maximum(self.shared - self.paid, 0.0)

    def after(self, n: int) -> "Costs":
        """The costs once a candidate is taken: its trunk is paid for up to its branch."""
        along = np.where(self.trunk == self.trunk[n], np.minimum(self.shared[n], self.shared), 0.0)
        return Costs(self.own, self.shared, np.maximum(self.paid, along), self.trunk)


@dataclass(frozen=True)
class Pick:
    """The place of a picked candidate, its cost, and what it takes of the targets' variance and of their interval."""

    place: int
    cost: float
    taken: float
    narrows: float


def dearest(known: int, budget: float) -> float:
    """What a run may cost beside so many known ones: where these are few, not nearly all of the budget."""
    if known < _FEW:  # one costly run beside cheap ones doesn't tell size, images and data apart
        return _MOST * budget
    return budget


def greedy(
    expected: Outlook,
    cost: Costs,
    budget: float,
    *,
    targets: int,
    place_M: NDArray[np.int64] | None = None,
    stop: float = 0.0,
    spend: float = np.inf,
    most: float = np.inf,
) -> tuple[list[Pick], float]:
    """The candidates that reduce the variance at the last ones, the targets, most, and what is left of the budget.

    `place_M` are the places of all of them in the outlook, by default each has its own.

    A measurement takes cov^2 / (var + noise) of the variance at a target. The next one is always that which takes
    most of those that can still be paid; of equal ones, the cheapest. One that costs more than `most` is taken only
    where no other narrows the interval by `stop`. It ends as well when `spend` is spent.
    """
    if place_M is None:
        place_M = np.arange(len(expected.mean))
    covariance, count = expected.covariance.copy(), len(place_M) - targets
    own_M, goals = place_M[:count], place_M[count:]
    open_M, left, picks = np.ones(count, bool), budget, []
    while budget - left < spend:
        price_M, unknown = cost.now(), float(np.trace(covariance[np.ix_(goals, goals)]))
        shared_P = (covariance[:, goals] ** 2).sum(axis=1)
        taken_M = (shared_P / (np.diag(covariance) + expected.noise))[own_M]
        narrows_M = 1 - np.sqrt(np.maximum(1 - taken_M / unknown, 0.0))
        ready_M = open_M & (price_M <= left) & (narrows_M >= stop)
        if not ready_M.any():
            break
        if (ready_M & (price_M <= most)).any():
            ready_M &= price_M <= most
        n = int(np.lexsort((price_M, np.where(ready_M, -taken_M, np.inf)))[0])
        picks.append(Pick(n, float(price_M[n]), float(taken_M[n]), float(narrows_M[n])))
        open_M[n], left, cost = False, left - float(price_M[n]), cost.after(n)
        lean_P = covariance[:, place_M[n]].copy()
        covariance -= np.outer(lean_P, lean_P) / (lean_P[place_M[n]] + expected.noise)
    return picks, left
