"""E = a (C + d)^-b: a power law that starts late."""

from scalectl.analysis.law import EXPONENT, SCALE, Family
from scalectl.analysis.laws.doubly_saturating import OFFSET, shifted

LAW = Family(
    "shifted",
    "E = a (C + d)^-b",
    "arXiv 2106.04560, section 2, without its floor",
    (SCALE, OFFSET, EXPONENT),
    shape=shifted,
    error=lambda C, scale, offset, exponent: scale * shifted(C, offset, exponent),
)
