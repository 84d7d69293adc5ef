"""Which runs to add next, so that the error at a target becomes known best for a budget; docs/advice.md says how."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalectl.analysis.bootstrap import HALF, LEVEL
from scalectl.analysis.checks import Refused, above_0, amount, checked
from scalectl.analysis.counting import counted
from scalectl.analysis.documents import known
from scalectl.analysis.enough import rise
from scalectl.analysis.fitting import fit
from scalectl.analysis.law import Floats
from scalectl.analysis.measured import measured_apart
from scalectl.analysis.noise import typical_images
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.outlook import Outlook
from scalectl.analysis.picking import Costs, Pick, dearest, greedy
from scalectl.analysis.runs import COMPUTE, METRIC, lacking, trunks, usable
from scalectl.analysis.surrogate import Forecast, positions
from scalectl.analysis.values import UNKNOWN, interval, value
from scalectl.analysis.vocabulary import AXES, CORRELATION, FRONTIER, SEEDS

LEAST = 5  # runs that advice needs
AHEAD = 10.0  # the target is at this many times the largest compute by default
STOP = 0.02  # share by which a run has to narrow the interval to be worth it
_SPLITS = 41  # of the target's compute into size and images


@dataclass(frozen=True)
class Suggested:
    """A run to add: what it costs beside those before it, what it should measure, and what that is worth."""

    run: str
    name: str
    cost: float
    predicted: float
    narrows: float  # share of the target's interval that goes when it is added to those before it
    variance_per_cost: float  # reduction of the target's relative variance for a unit of compute
    reason: str


@dataclass(frozen=True, repr=False)
class Advice(Report):
    """Runs in the order of their worth, and the target's relative standard deviation before and after them.

    The error there is what `predict` says of that compute. Where it refuses, for the reason in `refused`, it is what
    the runs say of the best size.
    """

    metric: str
    x: str  # the column of compute
    budget: float
    target: float  # compute
    predicted: float  # error there
    low: float  # of its 90 % interval
    high: float
    before: float
    after: float
    runs: tuple[Suggested, ...]
    stopped: str  # why there are no more
    refused: str = ""
    left_out: str = ""  # which runs lack a number that others have
    warnings: tuple[str, ...] = ()

    @property
    def cost(self) -> float:
        """What all runs cost together."""
        return sum(run.cost for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        document = asdict(self)
        head = {"metric": document.pop("metric"), "compute": document.pop("x")}
        del document["low"], document["high"]
        ends = {"interval_before": [self.low, self.high], "interval_after": [*self._ends_after()]}
        document = {**head, **document, "cost": self.cost, "runs": [asdict(run) for run in self.runs], **ends}
        return {name: known(value) for name, value in document.items()}

    def _ends_after(self) -> tuple[float, float]:
        """The interval as much narrower as the target's deviation."""
        share = self.after / self.before
        low, high = (self.predicted * (end / self.predicted) ** share for end in (self.low, self.high))
        return low, high

    def _interval(self, low: float, high: float) -> str:
        if high < UNKNOWN * low:
            return interval(self.metric, low, high)
        return "unknown"

    def __str__(self) -> str:
        lines = [*self._head(), ""]
        for number, run in enumerate(self.runs, start=1):
            head = f"  {number:>2}  {run.name:<24} {run.cost:>9.3g}  narrows by {100 * run.narrows:>4.1f} %"
            lines.append(f"{head}   {run.reason}")
        return "\n".join([*lines, f"  {self.stopped}"])

    def _repr_html_(self) -> str:
        rows = [(run.name, f"{run.cost:.3g}", f"{100 * run.narrows:.1f} %", run.reason) for run in self.runs]
        expected, *notes = self._head()
        return html_table(expected, ("run", "cost", "narrows by", "reason"), rows, [*notes, self.stopped])

    def _head(self) -> list[str]:
        expected = f"{self.metric} at {self.x} = {self.target:.3g}: expected {value(self.metric, self.predicted)}"
        lines = [
            expected,
            f"{100 * LEVEL:.0f} % interval now: {self._interval(self.low, self.high)}",
            f"after {len(self.runs)} more, {self.cost:.3g} {self.x}: {self._interval(*self._ends_after())}",
        ]
        if self.left_out:
            lines.append(self.left_out)
        if self.refused:
            lines.append(
                f"That is what the runs say of the best size. The law of the frontier is refused: {self.refused}"
            )
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]


def suggest(
    points: pd.DataFrame,
    candidates: pd.DataFrame,
    budget: float,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    target: float | None = None,
    stop: float = STOP,
    law: str | None = None,
    runs: str = FRONTIER,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
) -> Advice:
    """The candidates to run within a budget of the column `x`, from the runs that are done.

    Candidates have the columns run, name, images_seen, data_size and `x`; with `trunk`, `shared` and `paid`, compute
    of the trunk that they share and that of it which is trained already, runs after the first cost less. `law`,
    `runs`, `seeds` and `correlation` are those of `fit`, for the error at the target. Raises Refused below five runs,
    for errors of 0, for a metric that rises, for a column that isn't spent by training, without candidates, and for
    numbers that are not finite and above 0.
    """
    budget = amount("budget", budget)
    if target is not None:
        target = amount("target", target)
    known, candidates, left_out = _measured(points, candidates, metric, x)
    if target is None:
        target = AHEAD * float(known[x].max())
    known_N3, error_N = positions(known, x), known[metric].to_numpy(float)
    places_M3, images = positions(candidates, x), typical_images(known, metric) or np.inf
    forecast = Forecast.of(known_N3, error_N, trunks(known), places_M3, images)
    new_M3 = np.concatenate([places_M3, best_position(forecast, known_N3, target)])
    place_P3, place_M = np.unique(new_M3, axis=0, return_inverse=True)  # runs that differ in their seed have one place
    expected, goal = forecast.at(place_P3), int(place_M[-1])
    costs, most = Costs.of_candidates(candidates, x), dearest(len(known), budget)
    picks, left = greedy(expected, costs, budget, targets=1, place_M=place_M, stop=stop, most=most)
    beyond_M3 = np.exp(new_M3 - known_N3.max(axis=0))
    suggested = tuple(_suggested(expected, candidates, pick, place_M, beyond_M3[pick.place]) for pick in picks)
    before = float(expected.covariance[goal, goal] ** 0.5)
    after = before * float(np.prod([1 - pick.narrows for pick in picks]))
    paid_for = bool((candidates[x].to_numpy(float) <= left).any())
    why = _stopped(len(candidates) - len(picks), paid_for, left, stop)
    fitting: dict[str, Any] = {"law": law, "runs": runs, "seeds": seeds, "correlation": correlation}
    told = _told(points, metric, x, target, expected, goal, fitting)
    doubts = tuple(measured_apart(known, metric))
    return Advice(metric, x, budget, target, *told[:3], before, after, suggested, why, told[3], left_out, doubts)


def _told(
    points: pd.DataFrame, metric: str, x: str, target: float, expected: Outlook, goal: int, fitting: dict[str, Any]
) -> tuple[float, float, float, str]:
    """The error at the target with its interval, as `predict` tells it, or else the reason why it doesn't."""
    try:
        fitted = fit(points, metric, x, **fitting)
    except Refused as refused:
        estimate, factor = float(expected.mean[goal]), float(np.exp(HALF * expected.covariance[goal, goal] ** 0.5))
        return estimate, estimate / factor, estimate * factor, str(refused)
    low, high = (float(end[0]) for end in fitted.band([target]))
    return float(fitted(target)), low, high, ""


def _measured(
    points: pd.DataFrame, candidates: pd.DataFrame, metric: str, x: str
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """The runs with an error above 0, and the candidates, both with the numbers that their position depends on; and
    what is told of runs that lack one.
    """
    numbers, shared = ["images_seen"], list[str]()
    if "data_size" in {*points, *candidates}:
        numbers.append("data_size")
    if "trunk" in candidates:
        shared = ["shared", "paid"]
    known = usable(points, metric, x, *numbers)
    candidates = checked(candidates, ["run", "name"], [x, *numbers, *shared])
    above_0(candidates, [x, *numbers])
    known = known[known[metric] > 0]
    _enough(known, candidates, metric, x)
    return known, candidates, lacking(points, metric, x, *numbers)


def _enough(known: pd.DataFrame, candidates: pd.DataFrame, metric: str, x: str) -> None:
    if not AXES[x].cost:
        costs = ", ".join(name for name, axis in AXES.items() if axis.cost)
        raise Refused(f"{x} is no cost of training: give one of {costs}.")
    if len(known) < LEAST:
        raise Refused(
            f"{counted(len(known), 'run')} with {metric} above 0, and advice needs {LEAST}. Run the cheapest."
        )
    if rising := rise(known, metric, x):
        raise Refused(rising)
    if not len(candidates):
        raise Refused("no run is left to suggest.")


def _suggested(
    expected: Outlook, candidates: pd.DataFrame, pick: Pick, place_M: NDArray[np.int64], beyond: Floats
) -> Suggested:
    row, deviation_P = candidates.iloc[pick.place], np.sqrt(np.diag(expected.covariance))
    own, goal = place_M[pick.place], place_M[-1]
    alike = expected.covariance[own, goal] / (deviation_P[own] * deviation_P[goal])
    words = ("the compute per image", "the images seen", "the distinct images")
    new = ", ".join(f"{factor:.2g} x {word}" for factor, word in zip(beyond, words, strict=True) if factor > 1.01)
    reason = f"correlation {alike:.2f} with the target; a gap to fill"
    if new:
        reason = f"correlation {alike:.2f} with the target; {new} of any run"
    rate = np.inf
    if pick.cost:
        rate = pick.taken / pick.cost
    predicted = float(expected.mean[own])
    return Suggested(str(row["run"]), str(row["name"]), pick.cost, predicted, pick.narrows, rate, reason)


def _stopped(remaining: int, paid_for: bool, left: float, stop: float) -> str:
    if not remaining:
        return "Stopped: no candidate is left."
    if not paid_for:
        return f"Stopped: {left:.3g} of the budget is left, and every other candidate costs more."
    return f"Stopped: no other candidate within the budget narrows the interval by {100 * stop:g} %."


def best_position(forecast: Forecast, known_N3: Floats, target: float) -> Floats:
    """The position [1, 3] of the least expected error at a compute, on the largest data."""
    ahead = max(np.log(target) - known_N3[:, :2].sum(axis=1).max(), 0.0)
    seen = np.linspace(known_N3[:, 1].min(), known_N3[:, 1].max() + ahead, _SPLITS)
    split_M3 = np.stack([np.log(target) - seen, seen, np.full(_SPLITS, known_N3[:, 2].max())], axis=1)
    return split_M3[[forecast.at(split_M3).mean.argmin()]]
