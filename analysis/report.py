"""A fitted law as a value: intervals, residuals, warnings, and its report for people, notebooks and programs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scalectl.analysis.averaging import Average
from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.documents import known
from scalectl.analysis.law import FLOOR, Floats, Law
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.values import UNKNOWN, rms, value, with_interval
from scalectl.analysis.vocabulary import AXES, FRONTIER

_TOLD = 0.005  # of luck, below which nothing is told
AHEAD = 10.0  # times the largest compute of all runs: the report predicts there, and figures go so far
SUPPORTED = 2.0  # of AICc in favour of the law
INTERVAL = f"{100 * LEVEL:.0f} % interval"


@dataclass(frozen=True)
class HeldOut:
    """A run that was left out of the fit and would be on the frontier, with the law's 90 % interval for it."""

    run: str
    name: str
    compute: float
    predicted: float
    low: float
    high: float
    got: float


@dataclass(frozen=True)
class Simpler:
    """A law with fewer parameters on the same points, and its AICc less that of the law; None where it has none."""

    law: Law
    aicc_gain: float | None


@dataclass(frozen=True)
class Counts:
    """How many runs were used, and how many were not, by reason."""

    used: int
    held_out: int
    excluded: int
    diverged: int
    unmeasured: int


@dataclass(frozen=True, eq=False, repr=False)
class Fitted(Report):
    """A law with all that is known about how good it is."""

    metric: str
    x: str  # the column that the law is over
    runs: str  # that the law is fitted to: the frontier or all
    largest: float  # compute of a run, on the frontier or not
    law: Law
    intervals: dict[str, tuple[float, float]]
    frontier: pd.DataFrame  # the points that the law was fitted to: of all runs, a row for each cell
    counts: Counts
    draws: Floats  # [B, P]: the parameters of each bootstrap draw, in the unit of the law
    delta: float  # residuals beyond it counted linearly
    left_one_out: float  # rms of the log error of each frontier point, predicted from the others
    simpler: tuple[Simpler, ...]
    average: Average  # of the laws of several families, which predicts; the law alone where one was asked for
    held_out: tuple[HeldOut, ...]
    luck: Floats | float = 0.0  # log error by which points of the frontier may be too low, of noise that isn't known
    warnings: tuple[str, ...] = ()
    backtest: tuple[str, ...] = ()  # lines on how well the law of the cheaper runs foresaw the dearer

    def __call__(self, compute: ArrayLike) -> Floats:
        """The error that is predicted at each compute: that of the law, averaged with those of other families."""
        return self.average(compute)

    def band(self, compute: ArrayLike) -> tuple[Floats, Floats]:
        """The ends of the 90 % interval of the prediction at each compute.

        Errors fall with compute: beyond the frontier the upper end is at most what it is at the frontier's last point,
        and before it the lower end at least what it is at the first.
        """
        ends = self.frontier[self.x].to_numpy(float)[[0, -1]]
        (least, _), (_, most) = self.average.around(ends)
        compute = np.asarray(compute, float)
        low, high = self.average.around(compute)
        low = np.where(compute < ends[0], np.maximum(low, least), low)
        points = self.frontier[self.x].to_numpy(float)
        luck = np.interp(np.log(compute), np.log(points), np.broadcast_to(self.luck, points.shape))
        high = np.where(compute > ends[1], np.minimum(high, most), high)
        return low, high * np.exp(self.average.stretch * luck)

    @property
    def residuals(self) -> Floats:
        """log(measured / predicted) of each frontier point; a point with error 0 has none."""
        error = self.frontier[self.metric].to_numpy(float)
        ratio = error[error > 0] / self.law(self.frontier[self.x].to_numpy(float)[error > 0])
        return np.asarray(np.log(ratio))

    @property
    def held_out_rms(self) -> float | None:
        """The rms of log(got / predicted) over the held-out runs; None without any."""
        residuals = [np.log(run.got / run.predicted) for run in self.held_out if run.got > 0]
        if not residuals:
            return None
        return rms(np.array(residuals))

    def to_json(self) -> dict[str, Any]:
        """The fit as a JSON object."""
        document = {
            "law": self.law.family.name,
            "formula": self.law.family.formula,
            "metric": self.metric,
            "compute": self.x,
            "unit": self.law.unit,
            "fitted_to": self.runs,
            "params": self.law.params(),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "level": LEVEL,
            "draws": len(self.draws),
            "runs": asdict(self.counts),
            "frontier": self.frontier["run"].tolist(),
            "points": self._points(),
            "residuals": self.residuals.tolist(),
            "residual_rms": rms(self.residuals),
            "left_one_out_rms": self.left_one_out,
            "simpler": [
                {"law": simpler.law.family.name, "params": simpler.law.params(), "aicc_gain": simpler.aicc_gain}
                for simpler in self.simpler
            ],
            "average": [
                {"law": member.law.family.name, "params": member.law.params(), "weight": member.weight}
                for member in self.average.members
            ],
            "held_out": [asdict(run) for run in self.held_out],
            "held_out_rms": self.held_out_rms,
            "widened": self.average.stretch,
            "backtest": list(self.backtest),
            "warnings": list(self.warnings),
        }
        return {name: known(value) for name, value in document.items()}

    def _points(self) -> list[dict[str, Any]]:
        """What the law was fitted to: the runs of each point, whose means its compute and value are, and its residual.

        A point with error 0 has no residual.
        """
        table = self.frontier[["members", self.x, self.metric]].to_numpy(object)
        left = iter(self.residuals.tolist())
        return [
            {
                "runs": list(members),
                "compute": float(spent),
                "value": float(error),
                "residual": next(left) if error > 0 else None,
            }
            for members, spent, error in table
        ]

    def __str__(self) -> str:
        below = (f"  {line}" for line in (*checks(self), *self.backtest))
        return "\n".join([*head(self), "", *_params(self), "", *below])

    def _repr_html_(self) -> str:
        rows = [(row.letter, row.name, row.value, row.ends) for row in estimates(self)]
        notes = [f"{self.law.family.formula}, C in {self.law.unit}", *checks(self), *self.backtest]
        return html_table(" · ".join(head(self)), ("", "parameter", "value", INTERVAL), rows, notes)


def head(fit: Fitted) -> list[str]:
    """The two lines that say what was fitted, and to how many runs."""
    counts = fit.counts
    parts = [f"{counts.used} runs", f"{len(fit.frontier)} on the frontier"]
    if fit.runs != FRONTIER:
        parts = [f"all of {counts.used} runs"]
    if (seeds := int(fit.frontier["seeds"].max())) > 1:
        parts.append(f"means of up to {seeds} seeds")
    left_out = {
        "held out": counts.held_out,
        "excluded": counts.excluded,
        "diverged": counts.diverged,
        "without this metric": counts.unmeasured,
    }
    parts += [f"{number} {reason}" for reason, number in left_out.items() if number]
    return [f"{fit.metric} vs {fit.x}", " · ".join(parts)]


def _params(fit: Fitted) -> Iterator[str]:
    formula = f"{fit.law.family.formula}, C in {fit.law.unit}  "
    known = "no draws, no intervals"
    if fit.intervals:
        known = f"{INTERVAL} ({len(fit.draws)} draws of the runs)"
    yield f"  {formula:<44}{known}"
    for row in estimates(fit):
        yield f"  {row.letter}   {row.name:<14}{row.value:<12}{row.ends:<24}{row.note}".rstrip()


@dataclass(frozen=True)
class Estimate:
    """A parameter as the report shows it."""

    letter: str
    name: str
    value: str
    ends: str  # of its interval
    note: str


def estimates(fit: Fitted) -> Iterator[Estimate]:
    """Yield the parameters of a law by their letters."""
    params, best = fit.law.params(), fit.frontier[fit.metric].min()
    for parameter in sorted(fit.law.family.parameters, key=lambda parameter: parameter.letter):
        ends = note = ""
        if fit.intervals:
            ends = _ends(*fit.intervals[parameter.name])
        if parameter == FLOOR:
            note = "at least 0"
            if fit.runs == FRONTIER and params[parameter.name] > best > 0:
                note = f"above the best point ({best:.3g})"
        yield Estimate(parameter.letter, parameter.name, f"{params[parameter.name]:.3g}", ends, note)


def _ends(low: float, high: float) -> str:
    if high > UNKNOWN * low > 0:
        return "unknown by itself"
    return f"{low:.3g} to {high:.3g}"


def checks(fit: Fitted) -> Iterator[str]:
    """Yield a line for each thing that says how good a law is; warnings come last."""
    yield f"residual (log) {rms(fit.residuals):.2g} rms · each point from the others {fit.left_one_out:.2g} rms"
    compute, predicted = ahead(fit)
    yield f"{AHEAD:g} x the largest {AXES[fit.x].word} ({compute:.2g} {fit.law.unit}): {predicted}"
    if fit.runs == FRONTIER and fit.frontier["noise_known"].all() and (luck := _luck(fit)) >= _TOLD:
        yield f"luck of the best of noisy runs at the end of the frontier: {100 * luck:.2g} %, taken off"
    if len(fit.average.members) > 1:
        shares = (f"{100 * member.weight:.0f} % {member.law.family.name}" for member in fit.average.members)
        yield f"predictions average {', '.join(shares)}"
    if fit.average.stretch > 1:
        wide = f"{fit.average.stretch:.2g} times as wide as the runs alone have them"
        yield f"intervals are {wide}: those of the backtest failed"
    for run in fit.held_out:
        predicted = with_interval(fit.metric, run.predicted, run.low, run.high)
        yield f"held out {run.name}: predicted {predicted}, got {value(fit.metric, run.got)}"
    if fit.held_out_rms is not None:
        yield f"held out, all together: {fit.held_out_rms:.2g} rms (log)"
    for simpler in fit.simpler:
        if simpler.aicc_gain is not None:
            verdict = "the simpler one"
            if simpler.aicc_gain > SUPPORTED:
                verdict = "the law"
            name = f"{simpler.law.family.name}, {simpler.law.family.formula}"
            yield f"{name}: AICc {simpler.aicc_gain:+.0f} -> {verdict} is supported"
    for warning in fit.warnings:
        yield f"warning: {warning}"


def ahead(fit: Fitted) -> tuple[float, str]:
    """A compute of AHEAD times the largest run's, and what is predicted there, with its interval."""
    compute = AHEAD * fit.largest
    low, high = (float(end[0]) for end in fit.band([compute]))
    return compute, with_interval(fit.metric, float(fit(compute)), low, high)


def _luck(fit: Fitted) -> float:
    """The share by which the last frontier point lies below what it would be without the luck of the best."""
    last = fit.frontier.iloc[-1]
    low = last["expected"] - last[fit.metric]
    return float(low and low / last["expected"])  # an error of 0 without noise has none
