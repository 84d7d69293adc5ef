"""A curve of measurements, checked and put on logarithmic axes; a curve that rises is refused."""

from reprlib import repr as shortened

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalectl.analysis.checks import Refused
from scalectl.analysis.gaussian_process import Curve, Floats
from scalectl.analysis.running_best import likely_running_best

MOST = 200  # points; longer curves are averaged over neighbours, each average counting as many
_ONE_X = 1e-20  # sum of squares of log x up to which they are one
_TESTED = 4  # points from which on a rise can be tested
_RISING = 1 / 3  # Kendall's rank correlation above which a curve may be one that rises,
_CHANCE = 1.645  # and the standard deviations that are one-sided 5 %
_TENTH = 1.1  # rise of two or three points, which are too few to test


def positions(name: str, x: ArrayLike) -> Floats:
    """Values of x as floats; raises Refused, which names the argument, for any that is not finite and above 0."""
    return _checked(name, x, np.nextafter(0.0, 1.0), "that are not finite and above 0; leave them out")


def errors(name: str, y: ArrayLike) -> Floats:
    """Errors or losses as floats; raises Refused, which names the argument, for any that is not finite or below 0."""
    return _checked(name, y, 0.0, "that are not finite or below 0; an error or a loss is neither")


def rates(name: str, learning_rate: ArrayLike) -> Floats:
    """Learning rates as floats; raises Refused, which names the argument, for any not finite or below 0."""
    return _checked(name, learning_rate, 0.0, "that are not finite or below 0")


def _checked(name: str, values: ArrayLike, least: float, wrong: str) -> Floats:
    if np.ma.is_masked(values):
        raise Refused(f"{name} has masked values; leave them out")
    try:
        floats = np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{name} must be a list or an array of numbers, not {shortened(values)}") from None
    if not (np.isfinite(floats) & (floats >= least)).all():
        raise Refused(f"{name} has values {wrong}")
    return floats


def measured(x_N: Floats, y_N: Floats, most: int = MOST) -> tuple[Curve, float, float]:
    """The curve of measurements in any order, not all 0, in up to `most` points; and log x and log y of its last one.

    Copies of a measurement count once, others at the same x are averaged, and a y of 0 is taken for half the least y
    above 0.
    """
    x_N, y_N = np.unique(np.stack([x_N, y_N], axis=1), axis=0).T
    half = max(y_N[y_N > 0].min() / 2, np.nextafter(0.0, 1.0))
    y_N = np.where(y_N > 0, y_N, half)
    _, point_N = np.unique(x_N, return_inverse=True)
    distinct = point_N[-1] + 1
    if distinct > most:
        point_N = point_N * most // distinct
    count = np.bincount(point_N).astype(float)
    log_x, log_y = np.log(x_N), np.log(y_N)
    u, v = (np.bincount(point_N, logs) / count for logs in (log_x, log_y))
    squares, spare = _within(point_N, log_x - u[point_N], log_y - v[point_N])
    curve = Curve(u - u[-1], v - v[-1], count, squares, spare, likely_running_best(u, v))
    return curve, float(u[-1]), float(v[-1])


def _within(point_N: NDArray[np.int64], x_N: Floats, y_N: Floats) -> tuple[Floats, Floats]:
    """The squares of measurements around the line through those of their point, or their mean where all are at one x,
    and the degrees of freedom of that; x and y come relative to their means.
    """
    count, across, down, along = (np.bincount(point_N, values) for values in (1 + 0 * x_N, x_N**2, y_N**2, x_N * y_N))
    lines = across > _ONE_X
    squares = down - np.where(lines, along**2 / np.where(lines, across, 1.0), 0.0)
    spare = np.maximum(count - 1 - lines, 0.0)
    return np.where(spare > 0, np.maximum(squares, 0.0), 0.0), spare


def has_risen(v_N: Floats) -> bool:
    """Whether more pairs of points rise than fall, by chance or not."""
    return _rise(v_N) > 0


def rises(v_N: Floats) -> bool:
    """Whether a curve rises beyond chance: the Mann-Kendall test of a trend, and a rule of thumb below four points."""
    points = len(v_N)
    if points < _TESTED:
        return points > 1 and bool((np.diff(v_N) > 0).all()) and v_N[-1] - v_N[0] > np.log(_TENTH)
    rise, pairs = _rise(v_N), points * (points - 1) / 2
    _, alike = np.unique(v_N, return_counts=True)
    spread = np.sqrt(_spread(points) - _spread(alike))
    return bool(rise > _RISING * pairs and rise - 1 > _CHANCE * spread)


def _rise(v_N: Floats) -> float:
    """The pairs of points that rise less those that fall."""
    first, second = np.triu_indices(len(v_N), 1)
    return float(np.sign(v_N[second] - v_N[first]).sum())


def _spread(points: ArrayLike) -> float:
    """The variance of the rise of so many points, or what groups of so many equal ones take off it."""
    n = np.asarray(points, float)
    return float((n * (n - 1) * (2 * n + 5) / 18).sum())
