"""The best model size at each compute budget, and how it grows: approach 2 of arXiv 2203.15556.

A parabola through all points of a budget is bent by those far from its minimum; five around it are enough.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial as Poly

from analysis.bootstrap import LEVEL
from analysis.laws import Floats
from analysis.refusal import Refused
from analysis.runs import UNITS, usable

NEAREST = 5  # points that a minimum is found from
TOGETHER = 1.25  # runs up to this many times the compute of the cheapest one have one budget
LEAST = 3  # minima that an exponent needs


@dataclass(frozen=True)
class Budget:
    """The runs of one budget, with the size and images of the least error; None, and why, where there is none."""

    compute: float  # geometric mean of its runs
    runs: int
    sizes: int
    params: float | None = None
    images_seen: float | None = None
    error: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Growth:
    """y = coefficient C^exponent; the interval of the exponent is that of a regression in logarithms, 90 %."""

    coefficient: float
    exponent: float
    low: float
    high: float

    def __call__(self, compute: float) -> float:
        """Return y at a compute."""
        with np.errstate(over="ignore"):
            return float(self.coefficient * np.float64(compute) ** self.exponent)


@dataclass(frozen=True)
class IsoFlop:
    """The minima of all budgets, and N*(C) and D*(C): the best parameters and images seen at each compute."""

    metric: str
    compute: str
    budgets: tuple[Budget, ...]
    params: Growth
    images_seen: Growth

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {**asdict(self), "unit": UNITS[self.compute], "level": LEVEL}

    def __str__(self) -> str:
        found = sum(one.params is not None for one in self.budgets)
        lines = [f"{self.metric} vs {self.compute} · {found} minima of {len(self.budgets)} budgets", ""]
        for one in self.budgets:
            what = one.why or f"N* {one.params:.3g}, D* {one.images_seen:.3g}, {self.metric} {one.error:.3g}"
            lines.append(f"  C = {one.compute:<9.3g}{one.sizes:>3} sizes   {what}")
        lines += [""]
        for letter, law, what in (("N", self.params, "parameters"), ("D", self.images_seen, "images seen")):
            ends = f"{100 * LEVEL:.0f} % interval of the exponent {law.low:.3g} to {law.high:.3g}"
            lines.append(f"  {letter}*(C) = {law.coefficient:.3g} C^{law.exponent:.3g} {what}   {ends}")
        return "\n".join(lines)


def isoflop(points: pd.DataFrame, metric: str, compute: str = "flops") -> IsoFlop:
    """Return the best size at each budget, and its growth.

    Raises Refused below three minima, and for values that can't be fitted.
    """
    runs = usable(points, metric, compute, "params", "images_seen")
    found = tuple(minimum(group, metric, compute) for group in budgets(runs, compute))
    minima = [one for one in found if one.params is not None]
    if len(minima) < LEAST:
        reasons = "; ".join(dict.fromkeys(one.why for one in found if one.why)) or "no run has params and images_seen"
        raise Refused(
            f"refused: {len(minima)} of {len(found)} budgets have a minimum inside their model sizes, and an exponent"
            f" needs {LEAST}: {reasons}. Train {NEAREST} or more sizes at each budget, on both sides of the best one."
        )
    spent, size, images = (
        np.array([getattr(one, name) for one in minima], float) for name in ("compute", "params", "images_seen")
    )
    return IsoFlop(metric, compute, found, _growth(spent, size), _growth(spent, images))


def budgets(runs: pd.DataFrame, compute: str) -> Iterator[pd.DataFrame]:
    """Yield the runs of each budget, cheapest first; the table is sorted by compute."""
    spent = runs[compute].to_numpy(float)
    start = 0
    while start < len(spent):
        stop = int(np.searchsorted(spent, TOGETHER * spent[start], side="right"))
        yield runs.iloc[start:stop]
        start = stop


def best_of_sizes(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the best run of each model size among those of one budget, smallest first."""
    return group.loc[group.groupby("params")[metric].idxmin()].sort_values("params")


def nearest(best: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the sizes that the minimum is found from: those nearest to the best one in their logarithm."""
    size_N, lowest = np.log(best["params"].to_numpy(float)), int(best[metric].to_numpy(float).argmin())
    return best.iloc[np.sort(np.argsort(np.abs(size_N - size_N[lowest]), kind="stable")[:NEAREST])]


def parabola(near: pd.DataFrame, metric: str) -> Poly:
    """Return the error as a parabola of log(params) through these sizes."""
    return Poly.fit(np.log(near["params"].to_numpy(float)), near[metric].to_numpy(float), 2)


def minimum(group: pd.DataFrame, metric: str, compute: str) -> Budget:
    """Return the runs of one budget as a Budget, with the minimum of its parabola or the reason for none."""
    best = best_of_sizes(group, metric)
    found = Budget(float(np.exp(np.log(group[compute]).mean())), len(group), len(best))
    if len(best) < NEAREST:
        return _none(found, f"fewer than {NEAREST} sizes")
    lowest = int(best[metric].to_numpy(float).argmin())
    if lowest in (0, len(best) - 1):
        return _none(found, f"the {'smallest' if lowest == 0 else 'largest'} size is the best")
    near = nearest(best, metric)
    curve = parabola(near, metric)
    slope = curve.deriv()
    at = float(slope.roots()[0]) if slope.deriv()(0.0) > 0 else np.inf
    ends = np.log(near["params"].iloc[[0, -1]].to_numpy(float))
    if not ends[0] < at < ends[1]:
        return _none(found, "no minimum among the points around the best")
    images = np.exp(np.interp(at, np.log(best["params"]), np.log(best["images_seen"].to_numpy(float))))
    return Budget(found.compute, found.runs, found.sizes, float(np.exp(at)), float(images), float(curve(at)))


def _none(budget: Budget, why: str) -> Budget:
    return Budget(budget.compute, budget.runs, budget.sizes, why=why)


def _growth(spent: Floats, best: Floats) -> Growth:
    from scipy import stats

    found = stats.linregress(np.log(spent), np.log(best))
    far = float(stats.t.ppf((1 + LEVEL) / 2, len(spent) - 2) * found.stderr)
    slope = float(found.slope)
    return Growth(float(np.exp(found.intercept)), slope, slope - far, slope + far)
