"""What the laws of a table of runs say of one compute, one error, or one model size and amount of data."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.budgets import isoflop
from scalectl.analysis.checks import Refused, amounts, checked
from scalectl.analysis.documents import known
from scalectl.analysis.fitting import fit
from scalectl.analysis.law import Floats
from scalectl.analysis.notebook import Report
from scalectl.analysis.report import Fitted, interval, value
from scalectl.analysis.runs import COMPUTE, METRIC, usable
from scalectl.analysis.surface import Surface, fit_surface
from scalectl.analysis.vocabulary import AXES

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

    def __str__(self) -> str:
        size, source = f"{self.params:.3g} parameters, {self.images_seen:.3g} images", self.source
        if self.steps:
            size = f"{size}, {self.steps:.3g} steps"
        if self.decades_outside:
            source = f"{source}, {self.decades_outside:.2g} decades outside the runs"
        return f"{size} ({source})"


@dataclass(frozen=True, repr=False)
class Prediction(Report):
    """An estimate with its 90 % interval, for a question, and how many decades that lies outside the data.

    `estimate` is the metric, or, where the question is an error, compute; `high` is None where no compute is enough.
    """

    metric: str
    x: str  # the column of compute
    unit: str
    question: dict[str, float]
    estimate: float
    low: float
    high: float | None
    decades_outside: float
    allocation: Allocation | None
    allocation_refused: str
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        document = asdict(self)
        question = {"unit": document.pop("unit"), "asked": document.pop("question")}
        head = {"metric": document.pop("metric"), "compute": document.pop("x"), **question}
        document = {**head, **document, "level": LEVEL, "warnings": list(self.warnings)}
        return {name: known(value) for name, value in document.items()}

    def __str__(self) -> str:
        question = ", ".join(f"{name} {number:.3g}" for name, number in self.question.items())
        lines = [f"{self.metric} vs {self.x} · {question}", "", f"  {self._estimate()}"]
        if self.decades_outside:
            lines.append(f"  {self.decades_outside:.2g} decades outside the data")
        if self.allocation:
            lines.append(f"  best size: {self.allocation}")
        elif self.allocation_refused:
            lines.append(f"  best size: {self.allocation_refused}")
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])

    def _estimate(self) -> str:
        if "error" in self.question:
            high = "more than any"
            if self.high is not None:
                high = f"{self.high:.3g}"
            return f"{self.estimate:.3g} {self.unit} ({self.low:.3g} to {high}, {100 * LEVEL:.0f} % interval)"
        ends = interval(self.metric, self.low, self.high or 0.0)
        return f"{value(self.metric, self.estimate)} ({ends}, {100 * LEVEL:.0f} % interval)"


def predict(
    points: pd.DataFrame,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    compute: float | None = None,
    error: float | None = None,
    params: float | None = None,
    data: float | None = None,
    law: str | None = None,
) -> Prediction:
    """The error at a `compute`, the compute at which the law reaches an `error`, or the error of `params` and `data`,
    images seen; `x` is the column of compute. Without a `law`, the laws of several families are averaged.

    Raises Refused where the points can't carry the law, where no compute reaches the error, for a number that is not
    finite and above 0, and ValueError unless exactly one of the three is given.
    """
    if [compute is not None, error is not None, params is not None and data is not None].count(True) != 1:
        raise ValueError("ask for a compute, for an error, or for params and data")
    for name, number in {"compute": compute, "error": error, "params": params, "data": data}.items():
        if number is not None:
            amounts(name, number)
    if params is not None and data is not None:
        return _of_size(points, metric, x, params, data)
    fitted = fit(points, metric, x, law=law)
    if compute is not None:
        return _of_compute(points, fitted, compute)
    return _reaching(fitted, error or 0.0)


def best_size(points: pd.DataFrame, metric: str, x: str, compute: float) -> Allocation:
    """The best size for a compute, from the minima of equal budgets or else from a law of size and data.

    Raises Refused, with both reasons, where the points carry neither.
    """
    points = usable(points, metric, x, "params", "images_seen")
    try:
        growth = isoflop(points, metric, x)
        size, images, source = growth.params(compute), growth.images_seen(compute), "IsoFLOP minima"
    except Refused as first:
        try:
            surface, runs = _surface(points, metric)
        except Refused as second:
            raise Refused(f"{first} Nor has it a law of size and data: {second}") from None
        spent = checked(runs, (), [x])[x].to_numpy(float)
        each = np.nanmedian(spent / (runs["params"] * runs["images_seen"]).to_numpy(float))
        size, images = map(float, surface.optimal(compute, float(each)))
        source = SURFACE
    if not np.isfinite([size, images]).all():
        raise Refused(f"at {compute:.3g} it is larger than any number.")
    outside = max(_outside(size, points["params"]), _outside(images, points["images_seen"]))
    return Allocation(size, images, _steps(points, images), source, outside)


def _steps(points: pd.DataFrame, images: float) -> float | None:
    """The steps that see so many images, where all runs have one batch size."""
    if "batch_size" not in points:
        return None
    batches = points["batch_size"].dropna().unique()
    if len(batches) != 1:
        return None
    return images / float(batches[0])


def _of_compute(points: pd.DataFrame, fitted: Fitted, compute: float) -> Prediction:
    low, high = (float(end[0]) for end in fitted.band([compute]))
    allocation, refused = None, ""
    try:
        if AXES[fitted.x].cost:
            allocation = best_size(points, fitted.metric, fitted.x, compute)
    except Refused as why:
        refused = str(why)
    estimate = float(fitted(compute))
    prediction = _prediction(fitted, {"compute": compute}, estimate, low, high, compute, allocation, refused)
    if allocation and allocation.source == SURFACE:
        warnings = (*prediction.warnings, *_mixed(_measured(points, fitted.metric)))
        prediction = replace(prediction, warnings=warnings)
    return prediction


def _reaching(fitted: Fitted, error: float) -> Prediction:
    """The compute at which the law, and the ends of its band, come down to an error."""
    estimate = float(fitted.average.invert(error))
    if not 0 < estimate < np.inf:
        raise Refused(f"{fitted.metric} of {error:g}: {_never(fitted, error, estimate)}.")
    spent = fitted.frontier[fitted.x].to_numpy(float)
    x_N = np.geomspace(min(spent[0], estimate) * 10**-_REACH, max(spent[-1], estimate) * 10**_REACH, _GRID)
    low_N, high_N = fitted.band(x_N)
    low, high = _first_below(x_N, low_N, error), _first_below(x_N, high_N, error)
    least = estimate
    if low is not None:
        least = min(low, estimate)
    return _prediction(fitted, {"error": error}, estimate, least, high, estimate)


def _never(fitted: Fitted, error: float, estimate: float) -> str:
    if not estimate:
        return f"the law starts below it, at {float(fitted(1e-300)):.3g}"
    if fitted.law.floor < error:
        return f"it lies beyond the largest number, 1e299 {fitted.law.unit}"
    return f"no compute reaches it: the law's floor is {fitted.law.floor:.3g}"


def _first_below(x_N: Floats, error_N: Floats, error: float) -> float | None:
    """Where a falling curve comes down to an error, between two of its points in log-log; None if nowhere, and 0
    where it begins below it.
    """
    below_N = error_N <= error
    if not below_N.any():
        return None
    n = int(below_N.argmax())
    if n == 0:
        return 0.0
    ends = np.log(error_N[[n, n - 1]])
    return float(np.exp(np.interp(np.log(error), ends, np.log(x_N[[n, n - 1]]))))


def _prediction(
    fitted: Fitted,
    question: dict[str, float],
    estimate: float,
    low: float,
    high: float | None,
    compute: float,
    allocation: Allocation | None = None,
    refused: str = "",
) -> Prediction:
    outside = _outside(compute, fitted.frontier[fitted.x])
    warnings = (*_far(outside), *fitted.warnings)
    metric, x, unit = fitted.metric, fitted.x, fitted.law.unit
    return Prediction(metric, x, unit, question, estimate, low, high, outside, allocation, refused, warnings)


def _of_size(points: pd.DataFrame, metric: str, x: str, params: float, data: float) -> Prediction:
    surface, runs = _surface(points, metric)
    E, A, B, alpha, beta = surface.draws(DRAWS).T
    drawn = E + A * params**-alpha + B * data**-beta
    low, high = (float(end) for end in np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    estimate = float(surface.predict(params, data))
    outside = max(_outside(params, runs["params"]), _outside(data, runs["images_seen"]))
    warnings = [*_far(outside), *_mixed(runs)]
    question = {"params": params, "data": data}
    ends = (min(low, estimate), max(high, estimate))
    return Prediction(metric, x, "", question, estimate, *ends, outside, None, "", tuple(warnings))


def _mixed(runs: pd.DataFrame) -> list[str]:
    """A warning where a law of size and images seen rests on runs that see other images again and again."""
    if "data_size" in runs and runs["data_size"].nunique() > 1:
        return ["the runs have several data sizes, which a law of size and images doesn't know: choose one by --where"]
    return []


def _surface(points: pd.DataFrame, metric: str) -> tuple[Surface, pd.DataFrame]:
    runs = _measured(points, metric)
    return fit_surface(runs["params"], runs["images_seen"], runs[metric]), runs


def _measured(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The runs that a law of size and images seen rests on."""
    runs = usable(points, metric, "images_seen", "params")
    return runs[runs[metric] > 0]


def _outside(number: float, known: pd.Series) -> float:
    """The decades by which a number lies beyond the ends of what is known; 0 between them."""
    return float(max(np.log10(number / known.max()), np.log10(known.min() / number), 0.0))


def _far(outside: float) -> list[str]:
    if outside <= FAR:
        return []
    return [f"{outside:.1f} decades outside the data: the law was never tested there"]
