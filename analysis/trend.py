"""The damped local trend of a curve in log-log coordinates: where its end is heading, whatever the law.

A quadratic is fitted to the points near the end, and its slope there, never upwards, fades with the distance. How near
is near, and how soon a slope fades, no single curve says: forecasts of several answers are averaged.

Letters of shapes: N points, M places that are asked for, W widths, D dampings.
"""

from typing import NamedTuple

import numpy as np

from scalectl.analysis.gaussian_process import Curve, Floats, Forecast

LEAST = 4  # points that a trend needs
_WIDTHS = (0.5, 1.0)  # how far back points count, in log x
_DAMPINGS = np.array([1.5, 2.5])  # log x over which the slope falls to 1/e of itself
_RIDGE = np.diag([0.0, 1e-3, 0.05])  # held against level, slope and curvature
_LOOSE = 0.1  # standard deviation of the slope ahead, as a share of it


class _Ends(NamedTuple):
    """The trend at the last point for each width [W, 1, 1]; variances of level and slope are in that of the noise."""

    level: Floats
    slope: Floats
    noise: Floats  # variance
    level_level: Floats
    level_slope: Floats
    slope_slope: Floats


def trend(curve: Curve, ahead_M: Floats) -> tuple[Forecast, float]:
    """The forecast at log x `ahead_M` >= 0 beyond the last of at least 4 points, and the variance of the noise."""
    end_W11 = _Ends(
        *(np.array(column)[:, None, None] for column in zip(*(_end(curve, w) for w in _WIDTHS), strict=True))
    )
    reach_DM = -np.expm1(-ahead_M / _DAMPINGS[:, None]) * _DAMPINGS[:, None]
    mean_WDM = end_W11.level + end_W11.slope * reach_DM
    unsure_WDM = end_W11.level_level + 2 * end_W11.level_slope * reach_DM + end_W11.slope_slope * reach_DM**2
    variance_WDM = end_W11.noise * (1 + unsure_WDM) + (_LOOSE * end_W11.slope * ahead_M) ** 2
    variance_M = variance_WDM.mean(axis=(0, 1)) + mean_WDM.var(axis=(0, 1))
    return Forecast(mean_WDM.mean(axis=(0, 1)), variance_M), float(end_W11.noise.mean())


def _end(curve: Curve, width: float) -> tuple[float, ...]:
    """The trend of the points within about a width of log x before the last one, in the order of `_Ends`."""
    width = max(width, -curve.t[-LEAST] / 2)
    near_N = np.exp(-0.5 * (curve.t / width) ** 2)
    weight_N = curve.count * near_N
    basis_N3 = np.stack([np.ones_like(curve.t), curve.t, curve.t**2 / 2], axis=1)
    inverse_33 = np.linalg.inv(basis_N3.T @ (weight_N[:, None] * basis_N3) + _RIDGE)
    level, slope, curvature = inverse_33 @ (basis_N3.T @ (weight_N * curve.v))
    off_N = curve.v - basis_N3 @ (level, slope, curvature)
    noise = (weight_N @ off_N**2 + near_N @ curve.squares) / max(near_N @ (1 + curve.spare) - 2, 0.5)
    scatter_33 = basis_N3.T @ ((weight_N**2 / curve.count)[:, None] * basis_N3)
    unsure_33 = inverse_33 @ scatter_33 @ inverse_33
    return level, min(slope, 0.0), noise, unsure_33[0, 0], unsure_33[0, 1], unsure_33[1, 1]
