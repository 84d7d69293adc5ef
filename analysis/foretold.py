"""What the runs so far say of single runs that are not done; and later, of such predictions, which came true."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused, above_0, checked
from scalectl.analysis.conformal import chance
from scalectl.analysis.documents import known
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.runs import COMPUTE, METRIC
from scalectl.analysis.sizes import FAR, SizeLaw
from scalectl.analysis.values import interval, rms, value

_DOUBTFUL = 0.05  # chance of as few predictions inside their intervals, below which the intervals are called too narrow
_LEAST = 1e-5  # chance that is told as a number
_KEYS, _NUMBERS = ("run", "name", "metric"), ("estimate", "low", "high")  # columns of a prediction


@dataclass(frozen=True)
class Foretold:
    """A run that is not done: the metric that it should reach, the ends of the 90 % interval, and how many decades
    the run lies outside those that the prediction rests on. Where it is `refused` there are no numbers.
    """

    run: str
    name: str
    metric: str
    compute: float
    images_seen: float
    data_size: float | None
    estimate: float | None
    low: float | None
    high: float | None
    decades_outside: float
    refused: str = ""


@dataclass(frozen=True, repr=False)
class Foretelling(Report):
    """The predictions of runs, from `rests_on` others."""

    metric: str
    x: str
    rests_on: int
    runs: tuple[Foretold, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        runs = [{name: known(value) for name, value in asdict(run).items()} for run in self.runs]
        head = {"metric": self.metric, "compute": self.x, "level": LEVEL}
        return {**head, "rests_on": self.rests_on, "runs": runs, "warnings": list(self.warnings)}

    def __str__(self) -> str:
        wide = max([len(run.name) for run in self.runs], default=0)
        rows = [f"  {run.name:<{wide}}  {_ends(run)}" for run in self.runs]
        return "\n".join([self._head(), "", *rows, *(f"  warning: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        return html_table(
            self._head(), ("run", "expected"), [(run.name, _ends(run)) for run in self.runs], self.warnings
        )

    def _head(self) -> str:
        told = f"{len(self.runs)} not done, from {self.rests_on} that are"
        return f"{self.metric} of runs · {told} · {100 * LEVEL:.0f} % intervals of single runs"


def _ends(run: Foretold) -> str:
    if run.estimate is None or run.low is None or run.high is None:
        return f"refused: {run.refused}"
    line = f"{value(run.metric, run.estimate):>7} ({interval(run.metric, run.low, run.high)})"
    if run.decades_outside > FAR:
        line += f"  {run.decades_outside:.1f} decades outside the data"
    return line


def foretell(points: pd.DataFrame, candidates: pd.DataFrame, metric: str = METRIC, x: str = COMPUTE) -> Foretelling:
    """The metric of each of the candidates, from the runs of `points` that are done, by the law of `predict` for sizes.

    Candidates have the columns run, name, images_seen, `x` and data_size, by default that of the largest data set of
    the points. Those that are done stay in the table and don't count twice. Raises Refused where the points can't carry
    the law, and for a data_size where they tell none.
    """
    law = SizeLaw.of(points, metric, x)
    numbers = [name for name in ("images_seen", law.x, "data_size") if name != "data_size" or name in candidates]
    candidates = law.completed(checked(candidates, ["run", "name"], numbers))
    above_0(candidates, [name for name in numbers if name in candidates])
    if candidates.empty:
        raise Refused("no run is left to predict.")
    found, outside_M = law.of_runs(candidates), law.outside(candidates)
    low_M, high_M = found.ends
    runs = []
    for n, row in enumerate(candidates.to_dict("records")):
        distinct = row.get("data_size")
        refused = law.refusal(row["images_seen"], distinct)
        ends: tuple[float | None, float | None, float | None] = (None, None, None)
        if not refused:
            ends = (float(found.mean[n]), float(low_M[n]), float(high_M[n]))
        names = (str(row["run"]), str(row["name"]), metric, float(row[law.x]), float(row["images_seen"]))
        runs.append(Foretold(*names, distinct, *ends, float(outside_M[n]), refused))
    longest = max(runs, key=lambda run: run.images_seen / (run.data_size or math.inf))
    warnings = tuple(law.warnings(longest.images_seen, longest.data_size))
    return Foretelling(metric, x, len(law.runs), tuple(runs), warnings)


@dataclass(frozen=True)
class Outcome:
    """What came of one prediction; `got` is None while the run is not done."""

    run: str
    name: str
    metric: str
    estimate: float
    low: float
    high: float
    state: str
    got: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the run ended in its interval."""
        if self.got is None:
            return None
        return self.low <= self.got <= self.high

    @property
    def off(self) -> float | None:
        """log(got / estimate); None where an error of 0 has no logarithm."""
        if not self.got:
            return None
        return math.log(self.got / self.estimate)


@dataclass(frozen=True, repr=False)
class Judged(Report):
    """What came of predictions, those of runs that are done first."""

    runs: tuple[Outcome, ...]

    @property
    def done(self) -> int:
        """The number of runs that are done."""
        return sum(run.got is not None for run in self.runs)

    @property
    def offs(self) -> list[float]:
        """log(got / estimate) of the runs that are done, without errors of 0."""
        return [run.off for run in self.runs if run.off is not None]

    @property
    def inside(self) -> int:
        """The number of runs that ended in their intervals."""
        return sum(bool(run.inside) for run in self.runs)

    @property
    def chance(self) -> float:
        """The chance of as few runs inside, or fewer, if each were inside with 90 % and apart from the others."""
        return chance(self.inside, self.done)

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        runs = [{**asdict(run), "inside": run.inside, "off": run.off} for run in self.runs]
        head = {"level": LEVEL, "predicted": len(self.runs), "done": self.done, "inside": self.inside}
        if self.offs:
            head |= {"rms": rms(self.offs), "mean": float(np.mean(self.offs)), "chance": self.chance}
        return {**head, "runs": runs}

    def __str__(self) -> str:
        wide = max([len(run.name) for run in self.runs], default=0)
        rows = [f"  {run.name:<{wide}}  {_came(run)}" for run in self.runs]
        return "\n".join([*self._head(), "", *rows])

    def _repr_html_(self) -> str:
        first, *notes = self._head()
        return html_table(first, ("run", "outcome"), [(run.name, _came(run)) for run in self.runs], notes)

    def _head(self) -> Iterator[str]:
        done = self.done
        yield f"done: {done} of {len(self.runs)} predicted runs"
        if not self.offs:
            return
        yield f"inside the {100 * LEVEL:.0f} % interval: {self.inside} of {done} · {rms(self.offs):.2g} rms (log)"
        mean, word = float(np.mean(self.offs)), "above"
        if mean < 0:
            word = "below"
        yield f"on average {100 * abs(math.expm1(mean)):.2g} % {word} what was predicted"
        if self.chance < _DOUBTFUL:
            share = "under 0.001 %" if self.chance < _LEAST else f"{100 * self.chance:.2g} %"
            yield f"warning: right intervals hold so few in {share} of cases: these were too narrow"


def judge(predictions: pd.DataFrame, points: pd.DataFrame) -> Judged:
    """What came of predictions, as rows of a `Foretelling`, in a table of runs; refused ones are left out.

    A run that isn't in the table has the state unknown. Raises Refused for columns that are missing.
    """
    predictions = checked(predictions, _KEYS, _NUMBERS)
    points = checked(points, ("run", "state", "excluded")).set_index("run")
    outcomes = [_outcome(row, points) for row in predictions.dropna(subset=["estimate"]).to_dict("records")]
    return Judged(tuple(sorted(outcomes, key=lambda run: run.got is None)))


def _outcome(row: dict[Any, Any], points: pd.DataFrame) -> Outcome:
    state, got = "unknown", None
    if row["run"] in points.index:
        run = points.loc[row["run"]]
        state = str(run["state"])
        if run["excluded"]:
            state = "excluded"
        elif state == "done" and row["metric"] in run and not pd.isna(run[row["metric"]]):
            got = float(run[row["metric"]])
    estimate, low, high = (float(row[name]) for name in _NUMBERS)
    return Outcome(str(row["run"]), str(row["name"]), str(row["metric"]), estimate, low, high, state, got)


def _came(run: Outcome) -> str:
    expected = f"{value(run.metric, run.estimate):>7} ({interval(run.metric, run.low, run.high)})"
    if run.got is None:
        return f"{expected}  {run.state}"
    word = "outside"
    if run.inside:
        word = "inside"
    return f"{expected}  got {value(run.metric, run.got)}: {word}"
