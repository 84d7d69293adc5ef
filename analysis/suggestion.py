"""Which runs to add next, so that the error at a target becomes known best for a budget; docs/advice.md says how."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL
from analysis.checks import above_0, amounts, checked
from analysis.laws import Floats
from analysis.refusal import Refused
from analysis.report import UNKNOWN, interval, value
from analysis.runs import NOT_SPENT, usable
from analysis.surrogate import Outlook, outlook, places

LEAST = 5  # runs that advice needs
AHEAD = 10.0  # the target is at this many times the largest compute unless told
STOP = 0.02  # share by which a run has to narrow the interval to be worth it
_HALF = 1.645  # standard deviations from the middle of a 90 % interval to its ends
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


@dataclass(frozen=True)
class Advice:
    """Runs in the order of their worth, and the target's relative standard deviation before and after them."""

    metric: str
    compute: str
    budget: float
    target: float  # compute
    predicted: float  # error there
    before: float
    after: float
    runs: tuple[Suggested, ...]
    stopped: str  # why there are no more

    @property
    def cost(self) -> float:
        """Return what all runs cost together."""
        return sum(run.cost for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; interval ends are factors of the predicted error."""
        found = {**asdict(self), "cost": self.cost, "runs": [asdict(run) for run in self.runs]}
        return found | {"interval_before": [*self._ends(self.before)], "interval_after": [*self._ends(self.after)]}

    def _ends(self, sd: float) -> tuple[float, float]:
        factor = float(np.exp(_HALF * sd))
        return self.predicted / factor, self.predicted * factor

    def _interval(self, sd: float) -> str:
        low, high = self._ends(sd)
        return interval(self.metric, low, high) if high < UNKNOWN * low else "unknown"

    def __str__(self) -> str:
        now, then = (self._interval(sd) for sd in (self.before, self.after))
        lines = [
            f"{self.metric} at {self.compute} = {self.target:.3g}: expected {value(self.metric, self.predicted)}",
            f"{100 * LEVEL:.0f} % interval now: {now}",
            f"after {len(self.runs)} runs of {self.cost:.3g} {self.compute}: {then}",
            "",
        ]
        for number, run in enumerate(self.runs, start=1):
            head = f"  {number:>2}  {run.name:<24} {run.cost:>9.3g}  narrows by {100 * run.narrows:.1f} %"
            lines.append(f"{head}   {run.reason}")
        return "\n".join([*lines, f"  {self.stopped}"])


def suggest(
    points: pd.DataFrame,
    candidates: pd.DataFrame,
    budget: float,
    metric: str = "upstream/error",
    compute: str = "flops",
    *,
    target: float | None = None,
    stop: float = STOP,
) -> Advice:
    """Return which candidates to run within a budget of compute, from the runs that are done.

    Candidates have the columns run, name, images_seen, data_size and `compute`; with `trunk`, `shared` and `paid`,
    compute of the trunk that they share and that of it which is there already, runs after the first cost less. Raises
    Refused below five runs, for errors of 0, for a compute that isn't spent by training, without candidates, and for
    numbers that are not finite and above 0.
    """
    amounts("budget", budget)
    amounts("target", 1.0 if target is None else target)
    known, candidates = _measured(points, candidates, metric, compute)
    _enough(known, candidates, metric, compute)
    target = AHEAD * float(known[compute].max()) if target is None else target
    at_N3, error_N = places(known, compute), known[metric].to_numpy(float)
    aim_13 = best_place(at_N3, error_N, target)
    at_M3 = np.concatenate([places(candidates, compute), aim_13])
    found = outlook(at_N3, error_N, at_M3)
    picks, left = greedy(found, Costs.of(candidates, compute), budget, targets=1, stop=stop)
    runs = tuple(_suggested(found, candidates, pick, at_N3, at_M3) for pick in picks)
    before = float(found.covariance[-1, -1] ** 0.5)
    after = before * float(np.prod([1 - pick.narrows for pick in picks]))
    paid_for = bool((candidates[compute].to_numpy(float) <= left).any())
    why = _stopped(len(candidates) - len(picks), paid_for, left, stop)
    return Advice(metric, compute, budget, target, float(found.mean[-1]), before, after, runs, why)


def _measured(
    points: pd.DataFrame, candidates: pd.DataFrame, metric: str, compute: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs with an error above 0, and the candidates, both with the numbers that their place depends on."""
    numbers = ["images_seen", *(["data_size"] if "data_size" in {*points, *candidates} else [])]
    known = usable(points, metric, compute, *numbers)
    shared = ["shared", "paid"] if "trunk" in candidates else []
    found = checked(candidates, ["run", "name"], [compute, *numbers, *shared])
    above_0(found, [compute, *numbers])
    return known[known[metric] > 0], found


def _enough(known: pd.DataFrame, candidates: pd.DataFrame, metric: str, compute: str) -> None:
    if compute in NOT_SPENT:
        raise Refused(f"refused: {compute} is no cost of training: give one of flops, device_seconds, core_days.")
    if len(known) < LEAST:
        raise Refused(f"refused: {len(known)} runs with {metric} above 0, and advice needs {LEAST}. Run the cheapest.")
    if not len(candidates):
        raise Refused("refused: no run is left to suggest.")


def _suggested(found: Outlook, candidates: pd.DataFrame, pick: "Pick", at_N3: Floats, at_M3: Floats) -> Suggested:
    row, deviation_M = candidates.iloc[pick.place], np.sqrt(np.diag(found.covariance))
    alike = found.covariance[pick.place, -1] / (deviation_M[pick.place] * deviation_M[-1])
    beyond = np.exp(at_M3[pick.place] - at_N3.max(axis=0))
    words = ("the compute per image", "the images seen", "the distinct images")
    new = [f"{far:.2g} x {what}" for far, what in zip(beyond, words, strict=True) if far > 1.01]
    reason = f"correlation {alike:.2f} with the target; " + (f"{', '.join(new)} of any run" if new else "a gap to fill")
    rate = pick.taken / pick.cost if pick.cost else np.inf
    predicted = float(found.mean[pick.place])
    return Suggested(str(row["run"]), str(row["name"]), pick.cost, predicted, pick.narrows, rate, reason)


def _stopped(others: int, paid_for: bool, left: float, stop: float) -> str:
    if not others:
        return "Stopped: no candidate is left."
    if not paid_for:
        return f"Stopped: no other candidate costs {left:.3g} or less, which is left."
    return f"Stopped: no other candidate within the budget narrows the interval by {100 * stop:g} %."


def best_place(at_N3: Floats, error_N: Floats, target: float) -> Floats:
    """Return the place [1, 3] of the least expected error at a compute, on the largest data."""
    low, high = at_N3[:, 1].min(), at_N3[:, 1].max() + max(np.log(target) - at_N3[:, :2].sum(axis=1).max(), 0.0)
    seen = np.linspace(low, high, _SPLITS)
    at_M3 = np.stack([np.log(target) - seen, seen, np.full(_SPLITS, at_N3[:, 2].max())], axis=1)
    return at_M3[[outlook(at_N3, error_N, at_M3).mean.argmin()]]


@dataclass(frozen=True, eq=False)
class Costs:
    """What candidates cost: `own` of each, and `shared` of its trunk less what was paid of that."""

    own: Floats
    shared: Floats
    paid: Floats
    trunk: Any  # [M] of names

    @staticmethod
    def of(candidates: pd.DataFrame, compute: str) -> "Costs":
        """Return the costs in a table, where runs without trunks share nothing."""
        spent, none = candidates[compute].to_numpy(float), np.zeros(len(candidates))
        if "trunk" not in candidates:
            return Costs(spent, none, none, np.arange(len(candidates)))
        shared, paid = candidates["shared"].to_numpy(float), candidates["paid"].to_numpy(float)
        return Costs(spent - shared, shared, paid, candidates["trunk"].to_numpy())

    def now(self) -> Floats:
        """Return what each candidate costs next."""
        return self.own + np.maximum(self.shared - self.paid, 0.0)

    def after(self, n: int) -> "Costs":
        """Return the costs once a candidate is taken: its trunk is paid for up to its branch."""
        along = np.where(self.trunk == self.trunk[n], np.minimum(self.shared[n], self.shared), 0.0)
        return Costs(self.own, self.shared, np.maximum(self.paid, along), self.trunk)


@dataclass(frozen=True)
class Pick:
    """A place that was picked, its cost, and what it takes of the targets' variance and of their interval."""

    place: int
    cost: float
    taken: float
    narrows: float


def greedy(
    found: Outlook, cost: Costs, budget: float, *, targets: int, stop: float = 0.0, spend: float = np.inf
) -> tuple[list[Pick], float]:
    """Return the candidates that reduce the variance at the last places most, and what is left of the budget.

    A measurement takes cov^2 / (var + noise) of the variance at a target. The next one is always that which takes
    most of those that can still be paid; of equal ones, the cheapest. It ends as well when `spend` is spent.
    """
    covariance, count = found.covariance.copy(), len(found.mean) - targets
    open_M, left, picks = np.ones(count, bool), budget, []
    while budget - left < spend:
        price_M, unknown = cost.now(), float(np.trace(covariance[count:, count:]))
        ready_M = open_M & (price_M <= left)
        taken_M = (covariance[:count, count:] ** 2).sum(axis=1) / (np.diag(covariance)[:count] + found.noise)
        n = int(np.lexsort((price_M, np.where(ready_M, -taken_M, np.inf)))[0])
        narrows = 1 - float(np.sqrt(max(1 - taken_M[n] / unknown, 0.0)))
        if not ready_M.any() or narrows < stop:
            break
        picks.append(Pick(n, float(price_M[n]), float(taken_M[n]), narrows))
        open_M[n], left, cost = False, left - float(price_M[n]), cost.after(n)
        lean_M = covariance[:, n].copy()
        covariance -= np.outer(lean_M, lean_M) / (lean_M[n] + found.noise)
    return picks, left
