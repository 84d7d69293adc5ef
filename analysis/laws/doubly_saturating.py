"""E = a (C + d)^-b + c: a power law that starts late and ends at a floor."""

import numpy as np

from scalectl.analysis.law import ASINH, EXPONENT, FLOOR, SCALE, Family, Floats, Parameter

_REACH = 10.0  # the offset ends at this many times the largest compute of the fitted points

OFFSET = Parameter(
    "offset",
    "d",
    compute=1,
    scale=ASINH,
    bounds=lambda span: (0.0, _REACH * span.most / span.least),
    starts=lambda span: ASINH.spaced(0.0, span.most / span.least, 6),
    unit=lambda least, most: least,
)


def shifted(C: Floats, offset: Floats, exponent: Floats) -> Floats:
    """(C + offset)^-exponent."""
    return np.exp(-exponent * np.log(C + offset))


LAW = Family(
    "doubly saturating",
    "E = a (C + d)^-b + c",
    "arXiv 2106.04560, section 2",
    (SCALE, OFFSET, EXPONENT, FLOOR),
    shape=lambda C, offset, exponent, floor: shifted(C, offset, exponent),
    error=lambda C, scale, offset, exponent, floor: scale * shifted(C, offset, exponent) + floor,
)
