"""E = a C^-b: M1 of arXiv 2209.06640, the power law."""

from scalectl.analysis.laws.power import LAW

__all__ = ["LAW"]
