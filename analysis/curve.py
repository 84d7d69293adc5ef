"""A learning or scaling curve made ready to be extrapolated: checked, sorted, in logarithms.

Letters of shapes: N points, M places that are asked for.
"""

from dataclasses import dataclass
from reprlib import repr as shortened

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_MOST = 200  # points; longer curves are averaged over neighbours, each average counting as many
_RECORDS = 6  # points that never rise: with fewer that is no sign of a running best


@dataclass(frozen=True)
class Curve:
    """Points of a curve relative to its last one, in natural logarithms, so that no unit matters."""

    t: Floats  # log x less that of the last point: rising to 0 [N]
    v: Floats  # log y less that of the last point [N]
    count: Floats  # of measurements in each point [N]
    falls: bool  # never rises, as a running best doesn't


@dataclass(frozen=True)
class Forecast:
    """Mean and variance of log y of a new measurement, relative to the last point."""

    mean: Floats
    variance: Floats


def positions(name: str, x: ArrayLike) -> Floats:
    """Return x as floats; raises ValueError, which names the argument, for what is not finite or not above 0."""
    found = _floats(name, x)
    if not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(f"{name} has values that are not finite and above 0; leave them out")
    return found


def errors(name: str, y: ArrayLike) -> Floats:
    """Return y as floats; raises ValueError, which names the argument, for what is not finite or is below 0."""
    found = _floats(name, y)
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(f"{name} has values that are not finite or below 0; an error or a loss is neither")
    return found


def _floats(name: str, given: ArrayLike) -> Floats:
    """Return values as floats; raises ValueError, which names the argument, for what is masked and what is no list."""
    if np.ma.is_masked(given):
        raise ValueError(f"{name} has masked values; leave them out")
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a list or an array of numbers, not {shortened(given)}") from None


def measured(x_N: Floats, y_N: Floats) -> tuple[Curve, float, float]:
    """Return the curve of measurements in any order, not all 0, and the logarithms of x and y of its last point.

    Copies of a measurement count once, others at the same x are averaged, and a y of 0 is taken for half the least y
    above 0.
    """
    x_N, y_N = np.unique(np.stack([x_N, y_N], axis=1), axis=0).T
    half = max(y_N[y_N > 0].min() / 2, np.nextafter(0.0, 1.0))
    y_N = np.where(y_N > 0, y_N, half)
    _, place_N = np.unique(x_N, return_inverse=True)
    distinct = place_N[-1] + 1
    point_N = place_N if distinct <= _MOST else place_N * _MOST // distinct
    count = np.bincount(point_N).astype(float)
    u, v = (np.bincount(point_N, np.log(values)) / count for values in (x_N, y_N))
    falls = len(v) >= _RECORDS and bool((np.diff(v) <= 0).all())
    return Curve(u - u[-1], v - v[-1], count, falls), float(u[-1]), float(v[-1])
