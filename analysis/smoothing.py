"""Training curves without their noise."""

import numpy as np

from scalectl.analysis.law import Floats

_NEAR = 1.08  # how far along the axis measurements are averaged, as a factor


def smoothed(x_N: Floats, y_N: Floats) -> Floats:
    """The geometric mean of the measurements around each x, sorted, from a little before to a little after it."""
    before_N = np.searchsorted(x_N, x_N / _NEAR, side="left")
    after_N = np.searchsorted(x_N, x_N * _NEAR, side="right")
    sum_N = np.concatenate([[0.0], np.cumsum(np.log(y_N))])
    return np.exp((sum_N[after_N] - sum_N[before_N]) / (after_N - before_N))
