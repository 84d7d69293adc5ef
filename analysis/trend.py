"""A damped local trend in log-log coordinates: where the end of a curve is heading, whatever the law.

How near is near, and how soon a slope fades, no single curve tells: forecasts of several answers are averaged.

Letters of shapes: N points, M places that are asked for, W widths, D dampings.
"""

import numpy as np

from scalectl.analysis.curve import Curve, Floats, Forecast

LEAST = 4  # points that a trend needs
_WIDTHS = (0.5, 1.0)  # how far back points count, in log x
_DAMPINGS = np.array([1.5, 2.5])  # log x over which the slope falls to 1/e of itself
_RIDGE = (0.0, 1e-3, 0.05)  # held against level, slope and curvature
_LOOSE = 0.1  # standard deviation of the slope ahead, as a share of it


def trend(curve: Curve, ahead_M: Floats) -> tuple[Forecast, float]:
    """Return the forecast at log x `ahead_M` >= 0 beyond the last of at least 4 points, and the noise about the trend.

    A quadratic is fitted to the points near the end, and its slope there, never upwards, fades with the distance.
    """
    level_W1, slope_W1, noise_W1, count_W1 = np.array([_end(curve, width) for width in _WIDTHS]).T[:, :, None]
    reach_DM = -np.expm1(-ahead_M / _DAMPINGS[:, None]) * _DAMPINGS[:, None]
    mean_WDM = level_W1[:, None] + slope_W1[:, None] * reach_DM
    variance_WM = noise_W1 * (1 + 1 / count_W1) + (_LOOSE * slope_W1 * ahead_M) ** 2
    return Forecast(mean_WDM.mean(axis=(0, 1)), variance_WM.mean(axis=0) + mean_WDM.var(axis=(0, 1))), noise_W1.mean()


def _end(curve: Curve, width: float) -> tuple[float, float, float, float]:
    """Return level and slope at the last point, the variance of the noise about them and the points that count."""
    width = max(width, -curve.t[-LEAST] / 2)
    weight_N = curve.count * np.exp(-0.5 * (curve.t / width) ** 2)
    basis_N3 = np.stack([np.ones_like(curve.t), curve.t, curve.t**2 / 2], axis=1)
    normal_33 = basis_N3.T @ (weight_N[:, None] * basis_N3) + np.diag(_RIDGE)
    level, slope, curvature = np.linalg.solve(normal_33, basis_N3.T @ (weight_N * curve.v))
    off_N = curve.v - basis_N3 @ (level, slope, curvature)
    noise = weight_N @ off_N**2 / max(weight_N.sum() - 2, 0.5)
    return level, min(slope, 0.0), noise, weight_N.sum()
