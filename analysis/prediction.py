"""What the laws of a table of runs say of one compute, one error, or one model size and amount of data."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL
from analysis.budgets import isoflop
from analysis.checks import amounts, checked
from analysis.fitting import fit
from analysis.laws import DOUBLY_SATURATING, Family, Floats
from analysis.refusal import Refused
from analysis.report import Fitted, interval, value
from analysis.runs import NOT_SPENT, usable
from analysis.surface import Surface, fit_surface
from analysis.surface_solver import redrawn

FAR = 1.0  # decades outside the data beyond which a prediction is warned of
DRAWS = 200  # of a law in size and data
SURFACE = "law of size and images seen"
_REACH = 12.0  # decades beyond the data within which an interval's end is looked for
_GRID = 500


@dataclass(frozen=True)
class Allocation:
    """The model size, images seen and, where all runs have one batch, steps of the least error for a compute, and how
    many decades the size or the images lie outside those of the runs.
    """

    params: float
    images_seen: float
    steps: float | None
    source: str  # where it comes from
    decades_outside: float


@dataclass(frozen=True)
class Prediction:
    """An estimate with its 90 % interval, for what was asked, and how many decades that lies outside the data.

    `estimate` is the metric, or, where an error was asked for, compute; `high` is None where no compute is enough.
    """

    metric: str
    compute: str
    unit: str
    asked: dict[str, float]
    estimate: float
    low: float
    high: float | None
    decades_outside: float
    allocation: Allocation | None
    allocation_refused: str
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "level": LEVEL, "warnings": list(self.warnings)}

    def __str__(self) -> str:
        what = ", ".join(f"{name} {number:.3g}" for name, number in self.asked.items())
        lines = [f"{self.metric} vs {self.compute} · {what}", "", f"  {self._estimate()}"]
        if self.decades_outside:
            lines.append(f"  {self.decades_outside:.2g} decades outside the data")
        if self.allocation:
            best = self.allocation
            steps = f", {best.steps:.3g} steps" if best.steps else ""
            outside = f", {best.decades_outside:.2g} decades outside the runs" if best.decades_outside else ""
            lines.append(
                f"  best size: {best.params:.3g} parameters, {best.images_seen:.3g} images{steps}"
                f" ({best.source}{outside})"
            )
        elif self.allocation_refused:
            lines.append(f"  best size: {self.allocation_refused}")
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])

    def _estimate(self) -> str:
        if "error" in self.asked:
            high = "more than any" if self.high is None else f"{self.high:.3g}"
            return f"{self.estimate:.3g} {self.unit} ({self.low:.3g} to {high}, {100 * LEVEL:.0f} % interval)"
        ends = interval(self.metric, self.low, self.high or 0.0)
        return f"{value(self.metric, self.estimate)} ({ends}, {100 * LEVEL:.0f} % interval)"


def predict(
    points: pd.DataFrame,
    metric: str = "upstream/error",
    by: str = "flops",
    *,
    compute: float | None = None,
    error: float | None = None,
    params: float | None = None,
    data: float | None = None,
    family: Family = DOUBLY_SATURATING,
) -> Prediction:
    """Return the error at a `compute`, the compute at which the law reaches an `error`, or the error of `params` and
    `data`, images seen; `by` is the column that is compute.

    Raises Refused where the points can't carry the law, where no compute reaches the error, for a number that is not
    finite and above 0, and ValueError unless exactly one of the three is asked for.
    """
    if [compute is not None, error is not None, params is not None and data is not None].count(True) != 1:
        raise ValueError("ask for a compute, for an error, or for params and data")
    asked = {"compute": compute, "error": error, "params": params, "data": data}
    for name, number in asked.items():
        if number is not None:
            amounts(name, number)
    if params is not None and data is not None:
        return _of_size(points, metric, by, params, data)
    found = fit(points, metric, by, family=family)
    return _at(points, found, compute) if compute is not None else _reaching(found, error or 0.0)


def best_size(points: pd.DataFrame, metric: str, by: str, compute: float) -> Allocation:
    """Return the best size for a compute, from the minima of equal budgets or else from a law of size and data.

    Raises Refused, with both reasons, where the points carry neither.
    """
    points = usable(points, metric, by, "params", "images_seen")
    batches = points["batch_size"].dropna().unique() if "batch_size" in points else np.array([])
    batch = float(batches[0]) if len(batches) == 1 else None
    try:
        growth = isoflop(points, metric, by)
        size, images, source = growth.params(compute), growth.images_seen(compute), "IsoFLOP minima"
    except Refused as first:
        try:
            surface, runs = _surface(points, metric)
        except Refused as second:
            raise Refused(
                f"{first} Nor has it a law of size and data: {str(second).removeprefix('refused: ')}"
            ) from None
        spent = checked(runs, (), [by])[by].to_numpy(float)
        each = np.nanmedian(spent / (runs["params"] * runs["images_seen"]).to_numpy(float))
        size, images = (float(one) for one in surface.optimal(compute, float(each)))
        source = SURFACE
    if not np.isfinite([size, images]).all():
        raise Refused(f"refused: at {compute:.3g} it is larger than any number.")
    outside = max(_outside(size, points["params"]), _outside(images, points["images_seen"]))
    return Allocation(size, images, images / batch if batch else None, source, outside)


def _at(points: pd.DataFrame, found: Fitted, compute: float) -> Prediction:
    low, high = (float(end[0]) for end in found.band([compute]))
    allocation, refused = None, ""
    try:
        if found.compute not in NOT_SPENT:
            allocation = best_size(points, found.metric, found.compute, compute)
    except Refused as why:
        refused = str(why)
    made = _prediction(found, {"compute": compute}, float(found(compute)), low, high, compute, allocation, refused)
    if allocation and allocation.source == SURFACE:
        made = replace(made, warnings=(*made.warnings, *_mixed(_measured(points, found.metric))))
    return made


def _reaching(found: Fitted, error: float) -> Prediction:
    """Return the compute at which the law, and the ends of its band, come down to an error."""
    estimate = float(found.law.invert(error))
    if not 0 < estimate < np.inf:
        if found.law.params().get("floor", 0.0) < error and estimate:
            why = f"it lies beyond the largest number, 1e299 {found.law.unit}"
        elif estimate:
            why = f"no compute reaches it: the law's floor is {found.law.floor:.3g}"
        else:
            why = f"the law starts below it, at {float(found(1e-300)):.3g}"
        raise Refused(f"refused: {found.metric} of {error:g}: {why}.")
    spent = found.frontier[found.compute].to_numpy(float)
    at_N = np.geomspace(min(spent[0], estimate) * 10**-_REACH, max(spent[-1], estimate) * 10**_REACH, _GRID)
    low_N, high_N = found.band(at_N)
    low, high = _first_below(at_N, low_N, error), _first_below(at_N, high_N, error)
    least = estimate if low is None else min(low, estimate)
    return _prediction(found, {"error": error}, estimate, least, high, estimate)


def _first_below(at_N: Floats, error_N: Floats, error: float) -> float | None:
    """Return where a falling curve comes down to an error, between two of its points in log-log; None if nowhere, and 0
    where it begins below it.
    """
    below_N = error_N <= error
    if not below_N.any():
        return None
    n = int(below_N.argmax())
    if n == 0:
        return 0.0
    ends = np.log(error_N[[n, n - 1]])
    return float(np.exp(np.interp(np.log(error), ends, np.log(at_N[[n, n - 1]]))))


def _prediction(
    found: Fitted,
    asked: dict[str, float],
    estimate: float,
    low: float,
    high: float | None,
    at: float,
    allocation: Allocation | None = None,
    refused: str = "",
) -> Prediction:
    outside = _outside(at, found.frontier[found.compute])
    warnings = (*_far(outside), *found.warnings)
    metric, by, unit = found.metric, found.compute, found.law.unit
    return Prediction(metric, by, unit, asked, estimate, low, high, outside, allocation, refused, warnings)


def _of_size(points: pd.DataFrame, metric: str, by: str, params: float, data: float) -> Prediction:
    surface, runs = _surface(points, metric)
    start = np.array([surface.E, surface.A, surface.B, surface.alpha, surface.beta])
    E, A, B, alpha, beta = redrawn(surface.fitted, start, DRAWS, seed=0).T
    drawn = E + A * params**-alpha + B * data**-beta
    low, high = (float(end) for end in np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    estimate = float(surface.predict(params, data))
    outside = max(_outside(params, runs["params"]), _outside(data, runs["images_seen"]))
    warnings = [*_far(outside), *_mixed(runs)]
    asked = {"params": params, "data": data}
    ends = (min(low, estimate), max(high, estimate))
    return Prediction(metric, by, "", asked, estimate, *ends, outside, None, "", tuple(warnings))


def _mixed(runs: pd.DataFrame) -> list[str]:
    """Return a warning where a law of size and images seen rests on runs that see other images again and again."""
    if "data_size" in runs and runs["data_size"].nunique() > 1:
        return ["the runs have several data sizes, which a law of size and images doesn't know: choose one by --where"]
    return []


def _surface(points: pd.DataFrame, metric: str) -> tuple[Surface, pd.DataFrame]:
    runs = _measured(points, metric)
    return fit_surface(runs["params"], runs["images_seen"], runs[metric]), runs


def _measured(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the runs that a law of size and images seen rests on."""
    runs = usable(points, metric, "images_seen", "params")
    return runs[runs[metric] > 0]


def _outside(at: float, known: pd.Series) -> float:
    """Return how many decades a place lies beyond the ends of what is known; 0 between them."""
    return float(max(np.log10(at / known.max()), np.log10(known.min() / at), 0.0))


def _far(outside: float) -> list[str]:
    return [f"{outside:.1f} decades outside the data: the law was never tested there"] if outside > FAR else []
