"""A fitted law as a value: intervals, residuals, doubts, and its report for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.bootstrap import LEVEL, around_log
from analysis.laws import FORMULA, LETTERS, Law
from analysis.solver import Floats

AHEAD = 10.0  # the report predicts the error at this many times the largest compute


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
class Counts:
    """How many runs were used, and how many were not, by reason."""

    used: int
    held_out: int
    excluded: int
    unmeasured: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law with all that is known about how good it is."""

    metric: str
    compute: str
    law: Law
    intervals: dict[str, tuple[float, float]]
    frontier: pd.DataFrame  # the points that the law was fitted to
    counts: Counts
    draws: Floats  # [B, 4]: scale, offset, exponent, floor of each bootstrap draw, in the unit of the law
    delta: float  # residuals beyond it counted linearly
    left_one_out: float  # rms of the log error of each frontier point, predicted from the others
    power_law: Law
    aic_gain: float | None  # AICc of the pure power law less that of the law; None where points are too few for it
    held_out: tuple[HeldOut, ...]
    warnings: tuple[str, ...] = ()

    def band(self, compute: ArrayLike) -> tuple[Floats, Floats]:
        """Return the ends of the law's 90 % interval at each compute."""
        return band(self.law, self.draws, compute)

    @property
    def residuals(self) -> Floats:
        """Return log(measured / predicted) of each frontier point; a point with error 0 has none."""
        error = self.frontier[self.metric].to_numpy(float)
        ratio = error[error > 0] / self.law(self.frontier[self.compute].to_numpy(float)[error > 0])
        return np.asarray(np.log(ratio))

    def to_json(self) -> dict[str, Any]:
        """Return the fit as a JSON object."""
        return {
            "law": self.law.name,
            "formula": FORMULA,
            "metric": self.metric,
            "compute": self.compute,
            "unit": self.law.unit,
            "params": self.law.params(),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "level": LEVEL,
            "draws": len(self.draws),
            "runs": asdict(self.counts),
            "frontier": self.frontier["run"].tolist(),
            "residuals": self.residuals.tolist(),
            "residual_rms": rms(self.residuals),
            "left_one_out_rms": self.left_one_out,
            "power_law": {"params": self.power_law.params(), "aic_gain": self.aic_gain},
            "held_out": [asdict(run) for run in self.held_out],
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        return "\n".join([*_head(self), "", *_params(self), "", *_checks(self)])


def band(law: Law, draws: Floats, compute: ArrayLike) -> tuple[Floats, Floats]:
    """Return the ends of the 90 % interval of a law at each compute, from its bootstrap draws [B, 4]."""
    return around_log(law(compute), predictions(draws, compute))


def predictions(draws: Floats, compute: ArrayLike) -> Floats:
    """Return the error [B, N] that each draw predicts at each compute."""
    scale, offset, exponent, floor = (column[:, None] for column in draws.T)
    return np.asarray(np.exp(np.log(scale) - exponent * np.log(np.asarray(compute, float) + offset)) + floor)


def rms(values: Floats) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def value(metric: str, number: float) -> str:
    """Return a metric as people read it: errors in per cent."""
    return f"{100 * number:.3g} %" if metric.endswith("error") else f"{number:.3g}"


def _head(fit: Fitted) -> list[str]:
    counts = fit.counts
    parts = [f"{counts.used} runs", f"{len(fit.frontier)} on the frontier"]
    others = {"held out": counts.held_out, "excluded": counts.excluded, "without this metric": counts.unmeasured}
    parts += [f"{number} {reason}" for reason, number in others.items() if number]
    return [f"{fit.metric} vs {fit.compute}", " · ".join(parts)]


def _params(fit: Fitted) -> Iterator[str]:
    yield f"  {f'{FORMULA}, C in {fit.law.unit}':<44}{LEVEL:.0%} interval ({len(fit.draws)} draws of the runs)"
    best = fit.frontier[fit.metric].iloc[-1]
    for name, letter in LETTERS.items():
        low, high = fit.intervals[name]
        ends = f"{low:.3g} to {high:.3g}"
        note = f"at least 0, at most the best point ({best:.3g})" if name == "floor" else ""
        yield f"  {letter}   {name:<10}{fit.law.params()[name]:<12.3g}{ends:<24}{note}".rstrip()


def _checks(fit: Fitted) -> Iterator[str]:
    yield f"  residual (log) {rms(fit.residuals):.2g} rms · each point from the others {fit.left_one_out:.2g} rms"
    ahead = AHEAD * float(fit.frontier[fit.compute].iloc[-1])
    low, high = (float(end[0]) for end in fit.band([ahead]))
    predicted = _interval(fit.metric, float(fit.law(ahead)), low, high)
    yield f"  {AHEAD:g} x the largest compute ({ahead:.2g} {fit.law.unit}): {predicted}"
    for run in fit.held_out:
        predicted = _interval(fit.metric, run.predicted, run.low, run.high)
        yield f"  held out {run.name}: predicted {predicted}, got {value(fit.metric, run.got)}"
    if fit.aic_gain is not None:
        verdict = "saturation is supported" if fit.aic_gain > 2 else "saturation is not supported"
        yield f"  pure power law, without c and d: AICc {fit.aic_gain:+.0f} -> {verdict}"
    for warning in fit.warnings:
        yield f"  warning: {warning}"


def _interval(metric: str, middle: float, low: float, high: float) -> str:
    return f"{value(metric, middle)} ({value(metric, low).removesuffix(' %')} to {value(metric, high)})"
