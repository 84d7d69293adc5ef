"""E = a C^-b: a power law."""

from scalectl.analysis.law import EXPONENT, SCALE, Family, power

LAW = Family(
    "power law",
    "E = a C^-b",
    "M1 of arXiv 2209.06640",
    (SCALE, EXPONENT),
    shape=power,
    error=lambda C, scale, exponent: scale * power(C, exponent),
)
