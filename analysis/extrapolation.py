"""Where a learning or scaling curve will go, with an interval; docs/curves.md says how, and how well.

A law with departures (`gaussian_process`) and a damped local trend in log-log coordinates, where the end of a curve is
heading whatever the law, are pooled. How near is near, and how soon a slope fades, no single curve says: forecasts of
several answers are averaged.

Letters of shapes: N points, M places that are asked for, W widths, D dampings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from reprlib import repr as shortened

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused
from scalectl.analysis.gaussian_process import Curve, Floats, Forecast, forecast
from scalectl.analysis.notebook import html_table

_MOST = 200  # points; longer curves are averaged over neighbours, each average counting as many
_RECORDS = 6  # points that never rise: with fewer that is no sign of a running best
_LEAST = 4  # points that a trend needs
_SHARE = 1 / 3  # of the law in the pool; the trend has the rest
_RISE = 0.75  # standard deviations that measurements lie above a running best
_SCATTER = 5.0  # variance of the noise that a running best hides, in that of what it shows
_LARGEST = 709.0  # exponent of e
_WIDTHS = (0.5, 1.0)  # how far back points count, in log x
_DAMPINGS = np.array([1.5, 2.5])  # log x over which the slope falls to 1/e of itself
_RISING = (
    1 / 3
)  # Kendall's rank correlation above which a curve may be one that rises, and the chance below which it is
_CHANCE = 1.645  # standard deviations: one-sided 5 %
_TENTH = 1.1  # rise of two or three points, which are too few to test
_RIDGE = (0.0, 1e-3, 0.05)  # held against level, slope and curvature
_LOOSE = 0.1  # standard deviation of the slope ahead, as a share of it


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


def extrapolate(x_train: ArrayLike, y_train: ArrayLike, x_test: ArrayLike) -> Extrapolation:
    """Where a curve is at each `x_test`, in its shape, with the 90 % interval of a new measurement.

    The points are those of a curve of which lower is better, such as an error or a loss, in any order and number from
    one. Raises Refused, which names the argument, for x that are not finite and above 0, for y that are not finite or
    below 0, for y that rise with x, as an accuracy does, and for shapes that don't fit.
    """
    x_N, y_N = _positions("x_train", x_train), _errors("y_train", y_train)
    if x_N.ndim != 1 or x_N.shape != y_N.shape or not x_N.size:
        raise Refused(f"x_train and y_train must be two lists of one length, not of {x_N.shape} and {y_N.shape}")
    x = _positions("x_test", x_test)
    if not y_N.any():
        return Extrapolation(x, np.zeros(x.shape), np.zeros(x.shape), np.zeros(x.shape))
    curve, log_x, log_y = _measured(x_N, y_N)
    if _rises(curve.v):
        remedy = "a curve is of what falls, such as an error or a loss; give 1 - y where y is an accuracy"
        raise Refused(f"y_train rises with x_train: {remedy}")
    pooled = _pooled(curve, np.log(x.ravel()) - log_x)
    reach_M = stdtrit(len(curve.t) + 1, 0.95) * np.sqrt(pooled.variance)
    ends = (pooled.mean, pooled.mean - reach_M, pooled.mean + reach_M)
    y_M, low_M, high_M = (np.exp(np.minimum(log_y + end_M, _LARGEST)).reshape(x.shape) for end_M in ends)
    return Extrapolation(x, y_M, low_M, high_M)


def _positions(name: str, x: ArrayLike) -> Floats:
    floats = _floats(name, x)
    if not (np.isfinite(floats) & (floats > 0)).all():
        raise Refused(f"{name} has values that are not finite and above 0; leave them out")
    return floats


def _errors(name: str, y: ArrayLike) -> Floats:
    floats = _floats(name, y)
    if not (np.isfinite(floats) & (floats >= 0)).all():
        raise Refused(f"{name} has values that are not finite or below 0; an error or a loss is neither")
    return floats


def _floats(name: str, values: ArrayLike) -> Floats:
    """Values as floats; raises Refused, which names the argument, for what is masked and what is no list."""
    if np.ma.is_masked(values):
        raise Refused(f"{name} has masked values; leave them out")
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{name} must be a list or an array of numbers, not {shortened(values)}") from None


def _measured(x_N: Floats, y_N: Floats) -> tuple[Curve, float, float]:
    """The curve of measurements in any order, not all 0, and the logarithms of x and y of its last point.

    Copies of a measurement count once, others at the same x are averaged, and a y of 0 is taken for half the least y
    above 0.
    """
    x_N, y_N = np.unique(np.stack([x_N, y_N], axis=1), axis=0).T
    half = max(y_N[y_N > 0].min() / 2, np.nextafter(0.0, 1.0))
    y_N = np.where(y_N > 0, y_N, half)
    _, point_N = np.unique(x_N, return_inverse=True)
    distinct = point_N[-1] + 1
    if distinct > _MOST:
        point_N = point_N * _MOST // distinct
    count = np.bincount(point_N).astype(float)
    u, v = (np.bincount(point_N, np.log(values)) / count for values in (x_N, y_N))
    falls = len(v) >= _RECORDS and bool((np.diff(v) <= 0).all())
    return Curve(u - u[-1], v - v[-1], count, falls), float(u[-1]), float(v[-1])


def _rises(v_N: Floats) -> bool:
    """Whether a curve rises beyond chance: the Mann-Kendall test of a trend, and a rule of thumb below four points."""
    points = len(v_N)
    if points < _LEAST:
        return points > 1 and bool((np.diff(v_N) > 0).all()) and v_N[-1] - v_N[0] > np.log(_TENTH)
    first, second = np.triu_indices(points, 1)
    score = np.sign(v_N[second] - v_N[first]).sum()
    spread = np.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    return bool(score > _RISING * len(first) and score - 1 > _CHANCE * spread)


def _pooled(curve: Curve, t_M: Floats) -> Forecast:
    """The pool of law and trend beyond the last point; up to it, and from few points, the law answers alone."""
    law = forecast(curve, t_M)
    if len(curve.t) < _LEAST:
        return law
    local, noise = _trend(curve, np.maximum(t_M, 0))
    share_M = np.where(t_M > 0, _SHARE, 1.0)
    apart_M = law.mean - local.mean
    mean_M = local.mean + share_M * apart_M
    variance_M = local.variance + share_M * (law.variance - local.variance) + share_M * (1 - share_M) * apart_M**2
    if curve.falls:
        beyond_M = (t_M > 0) * noise
        mean_M, variance_M = mean_M + _RISE * np.sqrt(beyond_M), variance_M + _SCATTER * beyond_M
    return Forecast(mean_M, variance_M)


def _trend(curve: Curve, ahead_M: Floats) -> tuple[Forecast, float]:
    """The forecast at log x `ahead_M` >= 0 beyond the last of at least 4 points, and the noise about the trend.

    A quadratic is fitted to the points near the end, and its slope there, never upwards, fades with the distance.
    """
    level_W1, slope_W1, noise_W1, count_W1 = np.array([_end(curve, width) for width in _WIDTHS]).T[:, :, None]
    reach_DM = -np.expm1(-ahead_M / _DAMPINGS[:, None]) * _DAMPINGS[:, None]
    mean_WDM = level_W1[:, None] + slope_W1[:, None] * reach_DM
    variance_WM = noise_W1 * (1 + 1 / count_W1) + (_LOOSE * slope_W1 * ahead_M) ** 2
    return Forecast(mean_WDM.mean(axis=(0, 1)), variance_WM.mean(axis=0) + mean_WDM.var(axis=(0, 1))), noise_W1.mean()


def _end(curve: Curve, width: float) -> tuple[float, float, float, float]:
    """Level and slope at the last point, the variance of the noise about them and the points that count."""
    width = max(width, -curve.t[-_LEAST] / 2)
    weight_N = curve.count * np.exp(-0.5 * (curve.t / width) ** 2)
    basis_N3 = np.stack([np.ones_like(curve.t), curve.t, curve.t**2 / 2], axis=1)
    normal_33 = basis_N3.T @ (weight_N[:, None] * basis_N3) + np.diag(_RIDGE)
    level, slope, curvature = np.linalg.solve(normal_33, basis_N3.T @ (weight_N * curve.v))
    off_N = curve.v - basis_N3 @ (level, slope, curvature)
    noise = weight_N @ off_N**2 / max(weight_N.sum() - 2, 0.5)
    return level, min(slope, 0.0), noise, weight_N.sum()
