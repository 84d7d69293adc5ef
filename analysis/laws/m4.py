"""E - c = a C^-b (1 - E/e)^h: M4 of arXiv 2209.06640, a sigmoid between a ceiling and a floor."""

import numpy as np

from scalectl.analysis.law import EXPONENT, FLOOR, LOG, SCALE, Family, Floats, Parameter, power

_NEWTON = 25  # steps; the function solved for is convex or concave, and half of them do
_NEAR = 1e-13  # relative step that ends them

CEILING = Parameter(
    "ceiling",
    "e",
    error=1,
    bounds=lambda span: (1.0001 * span.worst, 10.0 * span.worst),
    starts=lambda span: LOG.coordinate(np.array((1.05, 1.5, 4)) * span.worst),
)
APPROACH = Parameter(
    "approach",
    "h",
    bounds=lambda span: (0.02, 20.0),
    starts=lambda span: LOG.coordinate((0.3, 1.0, 3.0)),
)


def _sigmoidal(C: Floats, scale: Floats, exponent: Floats, floor: Floats, ceiling: Floats, approach: Floats) -> Floats:
    """The E between floor and ceiling that solves the equation.

    With E = c + (e - c) / (1 + exp(-u)), its logarithm is -s(-u) + h s(u) = target for the softplus s; Newton's method
    comes to its root from one side only when it starts on the flatter one.
    """
    height = ceiling - floor
    target = np.log(scale) - exponent * np.log(C) - np.log(height) + approach * np.log(height / ceiling)
    u = np.where(approach < 1, np.minimum(target, target / approach), np.maximum(target, target / approach))
    for _ in range(_NEWTON):
        low, high = np.logaddexp(0, -u), np.logaddexp(0, u)
        step = (approach * high - low - target) / (np.exp(-high) + approach * np.exp(-low))
        u = u - step
        if np.all(np.abs(step) <= _NEAR * (1 + np.abs(u))):
            break
    return floor + height * np.exp(-np.logaddexp(0, -u))


LAW = Family(
    "M4",
    "E - c = a C^-b (1 - E/e)^h",
    "M4 of arXiv 2209.06640, whose beta is a e^-h",
    (SCALE, EXPONENT, FLOOR, CEILING, APPROACH),
    shape=lambda C, exponent, floor, ceiling, approach: power(C, exponent),
    error=_sigmoidal,
)
