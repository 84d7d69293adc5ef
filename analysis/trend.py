"""A damped local trend in log-log coordinates: where the end of a curve is heading, whatever the law.

Letters of shapes: N points, M places that are asked for.
"""

import numpy as np

from analysis.curve import Curve, Floats, Forecast

LEAST = 4  # points that a trend needs
_NEAR = 0.6  # how far back points count, in log x
_DAMPING = 2.25  # log x over which the slope falls to 1/e of itself
_RIDGE = (0.0, 1e-3, 0.05)  # held against level, slope and curvature
_LOOSE = 0.1  # standard deviation of the slope ahead, as a share of it


def trend(curve: Curve, ahead_M: Floats) -> tuple[Forecast, float]:
    """Return the forecast at log x `ahead_M` >= 0 beyond the last of at least 4 points, and the noise about the trend.

    A quadratic is fitted to the points near the end, and its slope there, never upwards, fades with the distance.
    """
    near = max(_NEAR, -curve.t[-LEAST] / 2)
    weight_N = curve.count * np.exp(-0.5 * (curve.t / near) ** 2)
    basis_N3 = np.stack([np.ones_like(curve.t), curve.t, curve.t**2 / 2], axis=1)
    normal_33 = basis_N3.T @ (weight_N[:, None] * basis_N3) + np.diag(_RIDGE)
    fitted_3 = np.linalg.solve(normal_33, basis_N3.T @ (weight_N * curve.v))
    off_N = curve.v - basis_N3 @ fitted_3
    noise = float(weight_N @ off_N**2 / max(weight_N.sum() - 2, 0.5))
    slope = min(float(fitted_3[1]), 0.0)
    mean_M = fitted_3[0] + slope * _DAMPING * -np.expm1(-ahead_M / _DAMPING)
    variance_M = noise * (1 + 1 / weight_N.sum()) + (_LOOSE * slope * ahead_M) ** 2
    return Forecast(mean_M, variance_M), noise
