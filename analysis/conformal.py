"""Whether intervals held as much as they say, and how much wider they have to be where not, as conformal prediction has
it. A distance is that of a measurement from its prediction, in units of the half width of its interval.
"""

import math

import numpy as np

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.law import Floats

_ENOUGH = 5  # measurements, below which nothing is said
_CHANCE = 0.1  # of so many outside, below which the intervals have failed


def needed(distance_N: Floats) -> float:
    """The factor that would have made intervals hold as many measurements as they say; at least 1."""
    return max(1.0, float(np.quantile(distance_N, LEVEL)))


def chance(inside: int, count: int) -> float:
    """The chance that of so many intervals so few hold, or fewer, if each does as often as it says, on its own."""
    return sum(math.comb(count, n) * LEVEL**n * (1 - LEVEL) ** (count - n) for n in range(inside + 1))


def failed(inside: int, count: int) -> bool:
    """Whether too few of enough intervals hold for that to be chance."""
    return count >= _ENOUGH and chance(inside, count) < _CHANCE


def stretch(distance_N: Floats) -> float:
    """The factor by which intervals are to be wider: that which is needed where they have failed, else 1."""
    if failed(int((distance_N <= 1).sum()), len(distance_N)):
        return needed(distance_N)
    return 1.0
