"""What the laws of a table of runs say of one compute, one error, or one model size and amount of data."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.allocation import NOWHERE, Allocation, best_size, decades_beyond
from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused, amount
from scalectl.analysis.contradiction import contradiction
from scalectl.analysis.documents import known
from scalectl.analysis.fitting import fit
from scalectl.analysis.law import Floats
from scalectl.analysis.notebook import Report
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, METRIC
from scalectl.analysis.sizes import FAR, SizeLaw, Sizes, size_law
from scalectl.analysis.values import interval, value
from scalectl.analysis.vocabulary import AXES, CORRELATION, FRONTIER, SEEDS

_REACH = 12.0  # decades beyond the data within which an interval's end is looked for
_GRID = 500


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
            lines.append(f"  {self.decades_outside:.1f} decades outside the data")
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
    data_size: float | None = None,
    law: str | None = None,
    runs: str = FRONTIER,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
) -> Prediction:
    """The error at a `compute`, the compute at which the law reaches an `error`, or the error of `params` and `data`,
    images seen; `x` is the column of compute. `law`, `runs`, `seeds` and
    `correlation` are those of `fit`.

    `data_size` is how many of these images are distinct, by default the largest data set of the runs.
    Raises Refused where the points can't carry the law, where no compute reaches the error, for a number that is not
    finite and above 0, and ValueError unless exactly one of the three is given.
    """
    if [compute is not None, error is not None, params is not None and data is not None].count(True) != 1:
        raise ValueError("ask for a compute, for an error, or for params and data")
    given = {"compute": compute, "error": error, "params": params, "data": data, "data_size": data_size}
    asked = {name: amount(name, number) for name, number in given.items() if number is not None}
    if "params" in asked and "data" in asked:
        return _of_size(points, metric, x, asked["params"], asked["data"], asked.get("data_size"))
    fitted = fit(points, metric, x, law=law, runs=runs, seeds=seeds, correlation=correlation)
    if "compute" in asked:
        return _of_compute(points, fitted, asked["compute"], seeds)
    return _reaching(points, fitted, asked["error"])


def _of_compute(points: pd.DataFrame, fitted: Fitted, compute: float, seeds: str) -> Prediction:
    low, high = (float(end[0]) for end in fitted.band([compute]))
    allocation, refused = None, ""
    sizes = _sizes(points, fitted)
    try:
        if sizes:
            allocation = best_size(points, fitted.metric, fitted.x, compute, seeds, sizes)
    except Refused as why:
        refused = str(why)
    estimate = float(fitted(compute))
    prediction = _prediction(fitted, {"compute": compute}, estimate, low, high, compute, allocation, refused)
    return _doubted(prediction, allocation.warnings if allocation else (), sizes, fitted, compute)


def _sizes(points: pd.DataFrame, fitted: Fitted) -> Sizes | None:
    """The law of size and images, beside a law of the frontier's cost alone."""
    if AXES[fitted.x].cost and fitted.runs == FRONTIER:
        return size_law(points, fitted.metric, fitted.x)
    return None


def _doubted(
    prediction: Prediction, warnings: tuple[str, ...], sizes: Sizes | None, fitted: Fitted, compute: float
) -> Prediction:
    """The prediction with more warnings, and with what the law of size and images says against it."""
    against = contradiction(sizes[0], fitted, compute) if sizes and sizes[0] else ()
    return replace(prediction, warnings=tuple(dict.fromkeys([*prediction.warnings, *warnings, *against])))


def _reaching(points: pd.DataFrame, fitted: Fitted, error: float) -> Prediction:
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
    if high is not None:
        high = max(high, estimate)  # between two points of the band it is a line in logarithms, the law is not
    prediction = _prediction(fitted, {"error": error}, estimate, least, high, estimate)
    return _doubted(prediction, (), _sizes(points, fitted), fitted, estimate)


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
    outside = decades_beyond(compute, fitted.frontier[fitted.x])
    warnings = (*_far(outside), *fitted.warnings)
    metric, x, unit = fitted.metric, fitted.x, fitted.law.unit
    return Prediction(metric, x, unit, question, estimate, low, high, outside, allocation, refused, warnings)


def _of_size(
    points: pd.DataFrame, metric: str, x: str, params: float, data: float, data_size: float | None
) -> Prediction:
    law = SizeLaw.of(points, metric, x)
    outside = max(decades_beyond(params, law.runs["params"]), decades_beyond(data, law.runs["images_seen"]))
    if outside > NOWHERE:
        raise Refused(f"that lies {outside:.0f} decades outside the data.")
    expected = law.expected(params, data, data_size)
    question = {"params": params, "data": data}
    if data_size is not None:
        question["data_size"] = data_size
    warnings = (*_far(outside), *law.warnings(data, data_size))
    ends = expected.low, expected.high
    return Prediction(metric, x, "", question, expected.estimate, *ends, outside, None, "", warnings)


def _far(outside: float) -> list[str]:
    if outside <= FAR:
        return []
    return [f"{outside:.1f} decades outside the data: the law was never tested there"]
