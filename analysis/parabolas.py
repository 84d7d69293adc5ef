"""The best size of one budget: the minimum of a parabola through the sizes around it, and how well it is known.

A parabola through all sizes would be bent by those far away. Of few close ones, noise makes the curvature: the least of
many noisy errors looks like a minimum, wherever it is. So there are as many sizes as the noise needs.

Letters of shapes: N sizes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial as Poly
from numpy.typing import NDArray

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.law import Floats
from scalectl.analysis.vocabulary import ACROSS, NEAREST

_SURE = 4.0  # standard errors that the curvature lies above 0; docs/laws.md has the trial
_ROUNDS = 3  # in which the sizes move to the minimum of their parabola
_CUBIC = 4  # neighbours that tell how far one of them lies from a cubic through the others


@dataclass(frozen=True)
class Noise:
    """The noise of single errors, as a share of them, and the degrees of freedom that it is known with."""

    share: float
    freedom: int

    @staticmethod
    def of(budgets: Iterable[pd.DataFrame], metric: str) -> "Noise":
        """The noise by which neighbours of each budget, smallest size first, miss a cubic; outliers hardly count."""
        off = [miss for best in budgets for miss in _misses(best, metric)]
        return Noise(1.48 * float(np.median(np.abs(off))) if off else 0.0, max(len(off) // 2, 1))


def _misses(best: pd.DataFrame, metric: str) -> Iterable[float]:
    """How far each four neighbours miss a cubic, in units of the noise of one error: third divided differences."""
    log_N, error_N = _axes(best, metric)
    for first in range(len(log_N) - _CUBIC + 1):
        log_4, error_4 = log_N[first : first + _CUBIC], error_N[first : first + _CUBIC]
        apart_44 = log_4[:, None] - log_4 + np.eye(_CUBIC)
        if apart_44.all() and error_4.any():
            weight_4 = 1 / apart_44.prod(axis=1)
            yield float(weight_4 @ error_4 / np.linalg.norm(weight_4) / error_4.mean())


@dataclass(frozen=True, eq=False)
class Parabola:
    """The error as a parabola of log(params) through some sizes; `ends` is the 90 % interval of its minimum, None where
    the noise hides that there is one.
    """

    near: pd.DataFrame
    curve: Poly
    bottom: float  # log(params), infinity where it has none
    ends: tuple[float, float] | None

    @property
    def has_minimum(self) -> bool:
        """Whether it has a minimum among its sizes."""
        first, last = np.log(self.near["params"].iloc[[0, -1]].to_numpy(float))
        return bool(first < self.bottom < last)


def around_the_best(best: pd.DataFrame, metric: str, noise: Noise) -> Parabola:
    """The parabola through the sizes around the best one, of those of a budget, smallest first.

    They are those nearest in their logarithm to its minimum: at least five, which span a factor of four at least, and
    as many more as it takes for its curvature to stand out from the noise.
    """
    log_N, error_N = _axes(best, metric)
    at_N = _near(log_N, error_N, noise, float(log_N[error_N.argmin()]))
    for _ in range(_ROUNDS):
        bottom = bottom_of(curve_of(log_N[at_N], error_N[at_N]))
        if not np.isfinite(bottom):
            break
        before_N, at_N = at_N, _near(log_N, error_N, noise, float(np.clip(bottom, log_N[0], log_N[-1])))
        if np.array_equal(before_N, at_N):
            break
    curve = curve_of(log_N[at_N], error_N[at_N])
    ends = _ends(log_N[at_N], error_N[at_N], curve, noise)
    if ends and ends[1] - ends[0] > np.ptp(log_N):
        ends = None
    return Parabola(best.iloc[at_N], curve, bottom_of(curve), ends)


def _axes(best: pd.DataFrame, metric: str) -> tuple[Floats, Floats]:
    return np.log(best["params"].to_numpy(float)), best[metric].to_numpy(float)


def _near(log_N: Floats, error_N: Floats, noise: Noise, middle: float) -> NDArray[np.int64]:
    """The places of the sizes around the middle, in their order."""
    order_N = np.argsort(np.abs(log_N - middle), kind="stable")
    for number in range(NEAREST, len(log_N) + 1):
        at_N = np.sort(order_N[:number])
        if np.ptp(log_N[at_N]) >= np.log(ACROSS) and _stands_out(log_N[at_N], error_N[at_N], noise):
            return at_N
    return np.sort(order_N)


def _stands_out(log_N: Floats, error_N: Floats, noise: Noise) -> bool:
    curve = curve_of(log_N, error_N)
    return bool(curve.coef[2] >= _SURE * noise.share * error_N.mean() * np.sqrt(_spread(log_N, curve)[2, 2]))


def curve_of(log_N: Floats, error_N: Floats) -> Poly:
    """The parabola through errors at sizes whose logarithms these are."""
    return Poly.fit(log_N, error_N, 2)


def bottom_of(curve: Poly) -> float:
    """Where a parabola is least, in log(params); infinity where it has no minimum."""
    slope = curve.deriv()
    if slope.deriv()(0.0) <= 0:
        return np.inf
    return float(slope.roots()[0])


def _spread(log_N: Floats, curve: Poly) -> Floats:
    """The covariance of the coefficients of a parabola, of errors with variance 1."""
    powers_N3 = np.vander(curve.mapparms()[0] + curve.mapparms()[1] * log_N, 3, increasing=True)
    return np.asarray(np.linalg.inv(powers_N3.T @ powers_N3))


def _ends(log_N: Floats, error_N: Floats, curve: Poly, noise: Noise) -> tuple[float, float] | None:
    """The 90 % interval of the minimum: where the slope may as well be 0 (Fieller, 1954), in log(params).

    The sizes may miss their parabola by more than the noise.
    """
    from scipy import stats

    missed = float(((error_N - curve(log_N)) ** 2).sum()) / (len(log_N) - 3)
    variance = max(missed, (noise.share * float(error_N.mean())) ** 2)
    doubt_33 = float(stats.t.ppf((1 + LEVEL) / 2, noise.freedom)) ** 2 * variance * _spread(log_N, curve)
    _, slope, bend = map(float, curve.coef)
    square = 4 * (bend**2 - doubt_33[2, 2])
    if bend <= 0 or square <= 0:
        return None
    middle, rest = -2 * (slope * bend - doubt_33[1, 2]) / square, (slope**2 - doubt_33[1, 1]) / square
    reach = np.sqrt(max(middle**2 - rest, 0.0))
    shift, scale = curve.mapparms()
    return float((middle - reach - shift) / scale), float((middle + reach - shift) / scale)
