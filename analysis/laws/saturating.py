"""E = a C^-b + c: a power law above a floor."""

from scalectl.analysis.law import EXPONENT, FLOOR, SCALE, Family, power

LAW = Family(
    "saturating",
    "E = a C^-b + c",
    "M2 of arXiv 2209.06640",
    (SCALE, EXPONENT, FLOOR),
    shape=lambda C, exponent, floor: power(C, exponent),
    error=lambda C, scale, exponent, floor: scale * power(C, exponent) + floor,
)
