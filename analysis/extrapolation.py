"""Where a learning or scaling curve will go, with an interval; docs/curves.md says how, and how well.

A law with departures (`gaussian_process`) and a damped local trend (`trend`) are pooled, beyond what the learning rate
explains (`annealing`), where it is known.

Letters of shapes: N points, M places that are asked for, R fits of the learning rate's effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from scalectl.analysis import annealing
from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused
from scalectl.analysis.curve import MOST, errors, has_risen, measured, positions, rates, rises
from scalectl.analysis.gaussian_process import Curve, Floats, Forecast, forecast
from scalectl.analysis.notebook import html_table
from scalectl.analysis.trend import LEAST, trend

_SHARE, _TURN = 0.4, 1.5  # of the law in the pool, far out; log x by which it has 1 - 1/e of that
_RISE = 0.75  # standard deviations that measurements lie above a running best
_SCATTER = 4.0  # variance of the noise that a running best hides, in that of what it shows
_FAR, _NEAR = 0.3, 2.0  # of the variance that is calculated: far out, and what comes to it at the end
_KNOWN, _BEFORE = 1.0, 1.0  # what comes to it up to the end, without repeats; log x over which that falls to 1/e
_TRUST = 0.25  # of what a curve shows of the learning rate's effect: laws miss more than noise
_FEW = 64  # points of a curve that is extrapolated once for each effect
_LARGEST = 709.0  # exponent of e


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """y at each x with the ends of the 90 % interval of a new measurement; unpacks as `y, low, high`."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats

    def __iter__(self) -> Iterator[Floats]:
        return iter((self.y, self.low, self.high))

    def __str__(self) -> str:
        lines = [f"{'x':>12}{'y':>12}   {100 * LEVEL:.0f} % interval"]
        return "\n".join([*lines, *(f"{x:>12}{y:>12}   {low} to {high}" for x, y, low, high in self._rows())])

    def _repr_html_(self) -> str:
        return html_table(f"{100 * LEVEL:.0f} % intervals", ("x", "y", "low", "high"), self._rows())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        columns = (np.ravel(values) for values in (self.x, self.y, self.low, self.high))
        for row in zip(*columns, strict=True):
            yield tuple(f"{number:.4g}" for number in row)


def extrapolate(
    x_train: ArrayLike, y_train: ArrayLike, x_test: ArrayLike, *, learning_rate: ArrayLike | None = None
) -> Extrapolation:
    """Where a curve is at each `x_test`, in its shape, with the 90 % interval of a new measurement.

    The points are those of a curve of which lower is better, such as an error or a loss, in any order and number from
    one. `learning_rate` has the learning rate at each of `x_train`, then at each of `x_test`, in any unit: a cooldown
    ahead lowers the curve, and one behind is no trend. Raises Refused, which names the argument, for x that are not
    finite and above 0, for y and learning rates that are not finite or below 0, for y that rise with x, as an accuracy
    does, and for shapes that don't fit.
    """
    x_N, y_N = positions("x_train", x_train), errors("y_train", y_train)
    if x_N.ndim != 1 or x_N.shape != y_N.shape or not x_N.size:
        raise Refused(f"x_train and y_train must be two lists of one length, not of {x_N.shape} and {y_N.shape}")
    x = positions("x_test", x_test)
    schedule = None
    if learning_rate is not None:
        schedule = annealing.schedule(x_N, x.ravel(), rates("learning_rate", learning_rate))
    if not y_N.any():
        return Extrapolation(x, np.zeros(x.shape), np.zeros(x.shape), np.zeros(x.shape))
    _no_rise(x_N, y_N)
    if schedule is not None and schedule.varies:
        ahead, freedom = annealed(schedule, y_N, annealing.PRIOR)
    else:
        ahead, freedom = along(x_N, y_N, x.ravel())
    reach_M = stdtrit(freedom, 0.95) * np.sqrt(ahead.variance)
    ends = (ahead.mean, ahead.mean - reach_M, ahead.mean + reach_M)
    y_M, low_M, high_M = (np.exp(np.minimum(end_M, _LARGEST)).reshape(x.shape) for end_M in ends)
    return Extrapolation(x, y_M, low_M, high_M)


def _no_rise(x_N: Floats, y_N: Floats) -> None:
    """Raise Refused for a curve that rises."""
    if rises(measured(x_N, y_N)[0].v):
        remedy = "a curve is of what falls, such as an error or a loss; give 1 - y where y is an accuracy"
        raise Refused(f"y_train rises with x_train: {remedy}")


def along(x_N: Floats, y_N: Floats, x_M: Floats, most: int = MOST) -> tuple[Forecast, int]:
    """The forecast of log y at each of `x_M`, and the degrees of freedom of its error; y are not all 0."""
    curve, log_x, log_y = measured(x_N, y_N, most)
    pooled = _pooled(curve, np.log(x_M) - log_x)
    return Forecast(log_y + pooled.mean, pooled.variance, pooled.evidence), len(curve.t) + 1 + int(curve.spare.sum())


def annealed(schedule: annealing.Schedule, y_N: Floats, prior_R: Floats) -> tuple[Forecast, int]:
    """The forecast of log y under a schedule, over effects of the learning rate with this logarithm of their prior."""
    forecasts, freedom = _each_effect(schedule, y_N)
    weight_R = _weights(forecasts, prior_R)
    mean_RM = np.array([ahead.mean for ahead in forecasts]) - annealing.EFFECTS[:, None] * schedule.down_ahead
    mean_M = weight_R @ mean_RM
    variance_RM = np.array([ahead.variance for ahead in forecasts])
    return Forecast(mean_M, weight_R @ (variance_RM + (mean_RM - mean_M) ** 2)), freedom


def effects(schedule: annealing.Schedule, y_N: Floats, prior_R: Floats) -> Floats:
    """How likely each effect of the learning rate is, after a curve; they sum to 1 [R]."""
    return _weights(_each_effect(schedule, y_N)[0], prior_R)


def _each_effect(schedule: annealing.Schedule, y_N: Floats) -> tuple[list[Forecast], int]:
    """The forecast of what is left of a curve without each effect, and the degrees of freedom of its error."""
    level = [y_N * np.exp(effect * schedule.down) for effect in annealing.EFFECTS]
    forecasts, freedoms = zip(*(along(schedule.total, y, schedule.total_ahead, _FEW) for y in level), strict=True)
    return list(forecasts), freedoms[0]


def _weights(forecasts: list[Forecast], prior_R: Floats) -> Floats:
    evidence_R = prior_R + _TRUST * np.array([ahead.evidence for ahead in forecasts])
    weight_R = np.exp(evidence_R - evidence_R.max())
    return np.asarray(weight_R / weight_R.sum(), np.float64)


def _unseen(curve: Curve, t_M: Floats) -> Floats:
    """By how much the law's variance is too small up to the end, where it takes noise for departures that it knows.

    Where measurements come again, their scatter tells the noise.
    """
    alone = len(curve.t) / (len(curve.t) + curve.spare.sum())
    before_M = np.where(t_M > 0, -np.inf, t_M) / _BEFORE
    return np.asarray(1 + _KNOWN * alone * np.exp(before_M))


def _pooled(curve: Curve, t_M: Floats) -> Forecast:
    """The pool of law and trend beyond the last point; up to it, and from few points, the law answers alone."""
    law = forecast(curve, np.append(t_M, 0.0))
    law_end, law = law.mean[-1], Forecast(law.mean[:-1], law.variance[:-1] * _unseen(curve, t_M), law.evidence)
    if has_risen(curve.v):  # what has risen, if only by chance, is not forecast to fall
        law = replace(law, mean=np.where(t_M > 0, np.maximum(law.mean, law_end), law.mean))
    if len(curve.t) < LEAST:
        return law
    ahead_M = np.maximum(t_M, 0)
    local, noise = trend(curve, ahead_M)
    share_M = np.where(t_M > 0, -_SHARE * np.expm1(-ahead_M / _TURN), 1.0)
    apart_M = law.mean - local.mean
    mean_M = local.mean + share_M * apart_M
    variance_M = local.variance + share_M * (law.variance - local.variance) + share_M * (1 - share_M) * apart_M**2
    variance_M *= np.where(t_M > 0, _FAR + _NEAR * np.exp(-ahead_M), 1.0)
    hidden_M = (t_M > 0) * curve.running_best * noise
    mean_M += _RISE * np.sqrt(curve.running_best * hidden_M)
    return Forecast(mean_M, variance_M + _SCATTER * hidden_M, law.evidence)
