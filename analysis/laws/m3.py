"""E = a (1/C + g)^b: M3 of arXiv 2209.06640, a power law that bends down to a floor."""

import numpy as np

from scalectl.analysis.law import ASINH, EXPONENT, SCALE, Family, Floats, Parameter

_REACH = 10.0  # 1/g begins at the smallest compute divided by this

BEND = Parameter(
    "bend",
    "g",
    compute=-1,
    scale=ASINH,
    bounds=lambda span: (0.0, _REACH * span.most / span.least),
    starts=lambda span: ASINH.spaced(0.0, span.most / span.least, 6),
    unit=lambda least, most: 1 / most,
)


def _bent(C: Floats, exponent: Floats, bend: Floats) -> Floats:
    return np.exp(exponent * np.log(1 / C + bend))


LAW = Family(
    "M3",
    "E = a (1/C + g)^b",
    "M3 of arXiv 2209.06640",
    (SCALE, EXPONENT, BEND),
    shape=_bent,
    error=lambda C, scale, exponent, bend: scale * _bent(C, exponent, bend),
    limit=lambda scale, exponent, bend: scale * bend**exponent,
)
