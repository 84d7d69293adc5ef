"""Where a learning or scaling curve will go, with an interval; docs/curves.md says how, and how well.

Letters of shapes: N points, M places that are asked for.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from analysis.curve import Curve, Floats, Forecast, errors, measured, positions
from analysis.gaussian_process import process
from analysis.trend import LEAST, trend

_SHARE = 1 / 3  # of the law in the pool; the trend has the rest
_RISE = 0.75  # standard deviations that measurements lie above a running best
_SCATTER = 5.0  # variance of the noise that a running best hides, in that of what it shows
_LARGEST = 709.0  # exponent of e


def extrapolate(x_train: ArrayLike, y_train: ArrayLike, x_test: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return y and the ends of the 90 % interval of a new measurement at each `x_test`, in its shape.

    The points are those of a curve of which lower is better, such as an error or a loss, in any order and number from
    one. Raises ValueError, which names the argument, for x that are not finite and above 0, for y that are not finite
    or below 0, and for shapes that don't fit.
    """
    x_N, y_N = positions("x_train", x_train), errors("y_train", y_train)
    if x_N.ndim != 1 or x_N.shape != y_N.shape or not x_N.size:
        raise ValueError(f"x_train and y_train must be two lists of one length, not of {x_N.shape} and {y_N.shape}")
    asked = positions("x_test", x_test)
    if not y_N.any():
        return np.zeros(asked.shape), np.zeros(asked.shape), np.zeros(asked.shape)
    curve, log_x, log_y = measured(x_N, y_N)
    found = _pooled(curve, np.log(asked.ravel()) - log_x)
    reach_M = stdtrit(len(curve.t) + 1, 0.95) * np.sqrt(found.variance)
    ends = (found.mean, found.mean - reach_M, found.mean + reach_M)
    y_M, low_M, high_M = (np.exp(np.minimum(log_y + end_M, _LARGEST)).reshape(asked.shape) for end_M in ends)
    return y_M, low_M, high_M


def _pooled(curve: Curve, at_M: Floats) -> Forecast:
    """Return the pool of law and trend beyond the last point; up to it, and from few points, the law answers alone."""
    law = process(curve, at_M)
    if len(curve.t) < LEAST:
        return law
    local, noise = trend(curve, np.maximum(at_M, 0))
    share_M = np.where(at_M > 0, _SHARE, 1.0)
    apart_M = law.mean - local.mean
    mean_M = local.mean + share_M * apart_M
    variance_M = local.variance + share_M * (law.variance - local.variance) + share_M * (1 - share_M) * apart_M**2
    if curve.falls:
        beyond_M = (at_M > 0) * noise
        mean_M, variance_M = mean_M + _RISE * np.sqrt(beyond_M), variance_M + _SCATTER * beyond_M
    return Forecast(mean_M, variance_M)
