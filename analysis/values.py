"""Values of a metric as people read them, with their intervals and how far they are off."""

import numpy as np
from numpy.typing import ArrayLike

from scalectl.analysis.vocabulary import is_in_per_cent

UNKNOWN = 1e9  # ratio of an interval's ends from which on it isn't printed


def rms(values: ArrayLike) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def value(metric: str, number: float) -> str:
    """A metric as people read it: errors in per cent, and losses with one more digit, for models differ by little."""
    if is_in_per_cent(metric):
        return f"{100 * number:.3g} %"
    return f"{number:.4g}"


def interval(metric: str, low: float, high: float) -> str:
    """The ends of an interval as people read them, with a word where an error would pass 100 %."""
    beyond = ""
    if is_in_per_cent(metric) and high > 1:
        beyond = ", past the 100 % of any error"
    return f"{value(metric, low).removesuffix(' %')} to {value(metric, high)}{beyond}"


def with_interval(metric: str, middle: float, low: float, high: float) -> str:
    """A value and, unless its ends are NaN, its interval."""
    if low != low:
        return value(metric, middle)
    return f"{value(metric, middle)} ({interval(metric, low, high)})"
