"""E = a C^-b + c: M2 of arXiv 2209.06640, the saturating law."""

from scalectl.analysis.laws.saturating import LAW

__all__ = ["LAW"]
