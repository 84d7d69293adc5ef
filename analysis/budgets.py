"""The best model size at each compute budget, and how it grows: approach 2 of arXiv 2203.15556.

Even without noise the minimum of a parabola is not that of the law below it (arXiv 2603.22339). By how much is
estimated with a law of size and images, told, and in the interval of the best size.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused
from scalectl.analysis.counting import count
from scalectl.analysis.documents import known
from scalectl.analysis.enough import rise
from scalectl.analysis.growth import Growth, growth
from scalectl.analysis.law import Floats
from scalectl.analysis.lowest import Interval
from scalectl.analysis.measured import measured_apart
from scalectl.analysis.noise import averaged
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.parabolas import Noise, around_the_best, bottom_of, curve_of
from scalectl.analysis.runs import COMPUTE, METRIC, cells, model_sizes, usable
from scalectl.analysis.sizes import SizeLaw, Sizes, size_law
from scalectl.analysis.values import value
from scalectl.analysis.vocabulary import AXES, MINIMA, NEAREST, SEEDS, TOGETHER

SIZES = 3  # that a budget needs to be shown beside one with NEAREST sizes, which has a minimum


@dataclass(frozen=True)
class Budget:
    """The runs of one budget, with the size and images of the least error; None, and why, where there is none."""

    compute: float  # geometric mean of its runs
    runs: int
    sizes: int
    params: float | None = None
    params_low: float | None = None  # ends of the 90 % interval: the scatter of its runs, and what the parabola misses
    params_high: float | None = None
    images_seen: float | None = None
    error: float | None = None
    why: str = ""
    nearest: tuple[float, ...] = field(default=(), repr=False)  # the sizes that the minimum was found from


@dataclass(frozen=True, repr=False)
class IsoFlop(Report):
    """The minima of all budgets, and N*(C) and D*(C): the best parameters and images seen at each compute."""

    metric: str
    x: str  # the column of compute
    budgets: tuple[Budget, ...]
    params: Growth
    images_seen: Growth
    bias: float | None = None  # factor by which the parabolas put N* off, by a law of size and images
    missed: tuple[float, ...] = ()  # that factor at each budget; `bias` is their median
    warnings: tuple[str, ...] = ()

    def best(self, compute: float) -> Interval:
        """The best size at a compute, with an interval that holds the scatter of the minima and what parabolas miss."""
        low, high = self.params.interval(compute)
        return Interval(self.params(compute), low / max([1.0, *self.missed]), high / min([1.0, *self.missed]))

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        laws = {
            "params": self.params.to_json(),
            "images_seen": self.images_seen.to_json(),
            "parabola": self.bias,
            "warnings": self.warnings,
        }
        budgets = {"budgets": tuple(map(asdict, self.budgets))}
        head = {"metric": self.metric, "compute": self.x}
        document = {**head, **budgets, **laws, "unit": AXES[self.x].unit, "level": LEVEL}
        return {name: known(value) for name, value in document.items()}

    def __str__(self) -> str:
        lines = [self._head(), ""]
        for budget in self.budgets:
            best = budget.why
            if not best:
                size = f"N* {budget.params:.3g} ({_ends(budget)})"
                best = f"{size}, D* {budget.images_seen:.3g}, {self.metric} {self._error(budget)}"
            sizes = f"{budget.sizes:>3} {'size ' if budget.sizes == 1 else 'sizes'}"
            lines.append(f"  C = {budget.compute:<9.3g}{sizes}   {best}")
        return "\n".join([*lines, "", *(f"  {growth}" for growth in self._growths())])

    def _repr_html_(self) -> str:
        rows = []
        for budget in self.budgets:
            best = (budget.why, "", "")
            if not budget.why:
                size = f"{budget.params:.3g} ({_ends(budget)})"
                best = (size, f"{budget.images_seen:.3g}", self._error(budget))
            rows.append((f"{budget.compute:.3g}", str(budget.sizes), *best))
        return html_table(self._head(), ("C", "sizes", "N*", "D*", self.metric), rows, self._growths())

    def _error(self, budget: Budget) -> str:
        return "" if budget.error is None else value(self.metric, budget.error)

    def _head(self) -> str:
        minima = sum(budget.params is not None for budget in self.budgets)
        return f"{self.metric} vs {self.x} · {minima} minima of {len(self.budgets)} budgets"

    def _growths(self) -> Iterator[str]:
        for letter, law, unit in (("N", self.params, "parameters"), ("D", self.images_seen, "images seen")):
            ends = f"{100 * LEVEL:.0f} % interval of the exponent {law.low:.3g} to {law.high:.3g}"
            if not law.determined:
                ends += ": not determined"
            yield f"{letter}*(C) = {law.coefficient:.3g} C^{law.exponent:.3g} {unit}   {ends}"
        if self.bias is not None:
            side = "above" if self.bias > 1 else "below"
            off = 100 * abs(self.bias - 1)
            yield f"Parabolas put N* {off:.2g} % {side} the minimum, by a law of size and images through all runs."
        yield from (f"warning: {warning}" for warning in self.warnings)


def _ends(budget: Budget) -> str:
    if budget.params_low is None or budget.params_high is None:
        return "scatter hides where"
    return f"{budget.params_low:.3g} to {budget.params_high:.3g}"


def isoflop(points: pd.DataFrame, metric: str = METRIC, x: str = COMPUTE, *, seeds: str = SEEDS[0]) -> IsoFlop:
    """The best size at each budget of the column `x`, and its growth; `seeds` are those of `fit`.

    Raises Refused below three minima, for a metric that rises, and for values that can't be fitted.
    """
    return isoflop_beside(None, points, metric, x, seeds)


def isoflop_beside(sizes: Sizes | None, points: pd.DataFrame, metric: str, x: str, seeds: str) -> IsoFlop:
    """The same; `sizes` is the law of size and images of these points where it is known already."""
    runs = sized(points, metric, x, seeds)
    refuse_rise(runs, metric, x)
    every = tuple(minima_of(list(budgets(runs, x)), metric, x))
    minima = [budget for budget in every if budget.params is not None]
    if len(minima) < MINIMA:
        reasons = "; ".join(reasons_of(every)) or "no run has params and images_seen"
        raise Refused(
            f"{len(minima)} of {len(every)} budgets have a minimum inside their model sizes, and an exponent"
            f" needs {MINIMA}: {reasons}. Train {NEAREST} or more sizes at each budget, on both sides of the best one."
        )
    spent, size, images = (
        np.array([getattr(budget, name) for budget in minima], float) for name in ("compute", "params", "images_seen")
    )
    apart = tuple(measured_apart(usable(points, metric, x, "params", "images_seen"), metric))
    found = IsoFlop(metric, x, every, growth(spent, size), growth(spent, images), warnings=apart)
    law, _ = sizes or size_law(points, metric, x)
    return _checked(found, law, minima) if law else found


def sized(points: pd.DataFrame, metric: str, x: str, seeds: str = SEEDS[0]) -> pd.DataFrame:
    """The runs that have params and images seen with the `size` of their models, or the means of their seeds; raises
    what `usable` raises.

    The luckiest of several seeds would have a size seem better than one that was trained once.
    """
    if seeds not in SEEDS:
        raise Refused(f"seeds = {seeds!r}: give {' or '.join(SEEDS)}.")
    runs = usable(points, metric, x, "params", "images_seen")
    alike = cells(runs, x) if seeds == SEEDS[0] else np.arange(len(runs))
    return averaged(runs.assign(size=model_sizes(runs)), metric, x, alike)


def _checked(found: IsoFlop, law: SizeLaw, minima: Sequence[Budget]) -> IsoFlop:
    """The minima with what a law of size and images through all runs says of them."""
    last = minima[-1]
    try:
        factors, (size, _, _) = [_missed(law, budget) for budget in minima], law.best(last.compute)
    except Refused:
        return found
    bias, doubts = float(np.exp(np.median(np.log(factors)))), law.warnings(last.images_seen or 0.0)
    warnings = list(dict.fromkeys([*found.warnings, *doubts]))
    missed = {budget.compute: factor for budget, factor in zip(minima, factors, strict=True)}
    every = tuple(_reaching(budget, missed.get(budget.compute, 1.0)) for budget in found.budgets)
    found = replace(found, budgets=every, bias=bias, missed=tuple(factors))
    if not found.best(last.compute).meets(size.low, size.high):
        named = f"{count(size.estimate)} parameters ({count(size.low)} to {count(size.high)})"
        warnings.append(f"the law of size and images names another best size at {last.compute:.3g}: {named}")
    return replace(found, warnings=tuple(warnings))


def _missed(law: SizeLaw, budget: Budget) -> float:
    """What the parabola through the sizes of a budget makes of a law's own minimum there, as a factor of it."""
    size, _, _ = law.best(budget.compute)
    log_N = np.log(budget.nearest)
    bottom = bottom_of(curve_of(log_N, law.at_compute(budget.compute, np.array(budget.nearest))))
    return float(np.exp(np.clip(bottom, log_N[0], log_N[-1]))) / size.estimate


def _reaching(budget: Budget, factor: float) -> Budget:
    """A budget whose interval holds the minimum that a parabola puts off by that factor, within the sizes around it."""
    if budget.params_low is None or budget.params_high is None:
        return budget
    low, high = max(budget.params_low / max(1, factor), budget.nearest[0]), budget.params_high / min(1, factor)
    ends = min(budget.params_low, low), max(budget.params_high, min(high, budget.nearest[-1]))
    return replace(budget, params_low=ends[0], params_high=ends[1])


def reasons_of(budgets: Iterable[Budget]) -> list[str]:
    """Why some of them have no minimum, each reason once."""
    return list(dict.fromkeys(budget.why for budget in budgets if budget.why))


def budgets(runs: pd.DataFrame, x: str) -> Iterator[pd.DataFrame]:
    """Yield the runs of each budget, cheapest first."""
    runs = runs.sort_values(x, kind="stable")
    spent = runs[x].to_numpy(float)
    start = 0
    while start < len(spent):
        stop = int(np.searchsorted(spent, TOGETHER * spent[start], side="right"))
        yield runs.iloc[start:stop]
        start = stop


def refuse_rise(runs: pd.DataFrame, metric: str, x: str) -> None:
    """Raise Refused for a metric that rises from one budget to the next: its minima would be the worst sizes."""
    alike = pd.concat([group.assign(**{x: group[x].iloc[0]}) for group in budgets(runs, x)] or [runs])
    if rising := rise(alike, metric, x):
        raise Refused(rising)


def best_of_sizes(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The best run of each model size among those of one budget, smallest first."""
    return group.loc[group.groupby("size")[metric].idxmin()].sort_values("params")


def minima_of(groups: Sequence[pd.DataFrame], metric: str, x: str) -> list[Budget]:
    """Each budget, of its runs, with the minimum of its parabola or the reason for none."""
    every = [best_of_sizes(group, metric) for group in groups]
    noise = Noise.of(every, metric)
    return [_minimum(group, best, metric, x, noise) for group, best in zip(groups, every, strict=True)]


def _minimum(group: pd.DataFrame, best: pd.DataFrame, metric: str, x: str, noise: Noise) -> Budget:
    budget = Budget(float(np.exp(np.log(group[x]).mean())), int(group["seeds"].sum()), len(best))
    if len(best) < NEAREST:
        return replace(budget, why=f"fewer than {NEAREST} sizes")
    lowest = int(best[metric].to_numpy(float).argmin())
    if lowest == 0:
        return replace(budget, why="the smallest size is the best")
    if lowest == len(best) - 1:
        return replace(budget, why="the largest size is the best")
    found = around_the_best(best, metric, noise)
    if not found.has_minimum:
        return replace(budget, why="no minimum among the points around the best")
    low, high = map(float, np.exp(found.ends)) if found.ends else (None, None)
    images = np.exp(np.interp(found.bottom, np.log(best["params"]), np.log(best["images_seen"].to_numpy(float))))
    return replace(
        budget,
        params=float(np.exp(found.bottom)),
        params_low=low,
        params_high=high,
        images_seen=float(images),
        error=float(found.curve(found.bottom)),
        nearest=tuple(found.near["params"].astype(float)),
    )


def parabola(budget: Budget, best: pd.DataFrame, metric: str, points: int) -> tuple[Floats, Floats]:
    """The parabola of a budget's minimum, at so many sizes from the first to the last that it goes through; `best` has
    the best run of each size.
    """
    near, size = best[best["params"].isin(budget.nearest)], np.geomspace(budget.nearest[0], budget.nearest[-1], points)
    return size, curve_of(np.log(near["params"].to_numpy(float)), near[metric].to_numpy(float))(np.log(size))
