"""E = a C^-b (1 + (C/d)^(1/f))^(f (b - h)) + c: a power law with one smooth break, arXiv 2210.14891."""

import numpy as np

from scalectl.analysis.law import EXPONENT, FLOOR, LOG, SCALE, Family, Floats, Parameter

BREAK = Parameter(
    "break",
    "d",
    compute=1,
    bounds=lambda span: (span.least, span.most),
    starts=lambda span: LOG.spaced(span.least, span.most, 6)[1:-1],
)
LATE_EXPONENT = Parameter(
    "late_exponent",
    "h",
    bounds=lambda span: (0.001, 5.0),
    starts=lambda span: LOG.coordinate((0.05, 0.2, 0.8)),
)
SHARPNESS = Parameter(
    "sharpness",
    "f",
    bounds=lambda span: (0.02, 5.0),
    starts=lambda span: LOG.coordinate((0.1, 0.5)),
)


def _broken(C: Floats, exponent: Floats, place: Floats, late: Floats, sharpness: Floats) -> Floats:
    turned = sharpness * np.logaddexp(0, np.log(C / place) / sharpness)
    return np.exp(-exponent * np.log(C) - (late - exponent) * turned)


LAW = Family(
    "BNSL",
    "E = a C^-b (1 + (C/d)^(1/f))^(f (b - h)) + c",
    "arXiv 2210.14891, one break, whose c0 is b and c1 is h - b",
    (SCALE, EXPONENT, BREAK, LATE_EXPONENT, SHARPNESS, FLOOR),
    shape=lambda C, exponent, place, late, sharpness, floor: _broken(C, exponent, place, late, sharpness),
    error=lambda C, scale, exponent, place, late, sharpness, floor: (
        scale * _broken(C, exponent, place, late, sharpness) + floor
    ),
)
