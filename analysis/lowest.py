"""What is expected at places as intervals, and where on a line of places it is least."""

from dataclasses import dataclass, replace

import numpy as np

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.law import Floats
from scalectl.analysis.outlook import Outlook

_DRAWS = 400


@dataclass(frozen=True)
class Interval:
    """An estimate with its 90 % interval."""

    estimate: float
    low: float
    high: float

    def meets(self, low: float, high: float) -> bool:
        """Whether some number is in this interval and in another one."""
        return self.low <= high and low <= self.high


def interval_of(found: Outlook) -> Interval:
    """The interval of a reading at the one place of an outlook."""
    low_M, high_M = found.ends
    return Interval(float(found.mean[0]), float(low_M[0]), float(high_M[0]))


def least_of(found: Outlook) -> Outlook:
    """The outlook of the place where the least is expected."""
    at = int(found.mean.argmin())
    return replace(found, mean=found.mean[[at]], covariance=found.covariance[[at]][:, [at]])


def lowest(log_M: Floats, found: Outlook) -> Interval:
    """Where the expected error is least, and where it is in 90 % of what it may be."""
    root = _root(found.covariance)
    drawn = np.log(found.mean) + np.random.default_rng(0).normal(size=(_DRAWS, len(log_M))) @ root.T
    low, high = np.quantile([_bottom(log_M, row) for row in drawn], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    estimate = _bottom(log_M, np.log(found.mean))
    return Interval(*map(float, np.exp([estimate, min(low, estimate), max(high, estimate)])))


def _root(covariance: Floats) -> Floats:
    """A matrix whose product with its transpose is the covariance, which may lack rank."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _bottom(x_M: Floats, y_M: Floats) -> float:
    """Where a curve is least, between its points by a parabola through the three lowest."""
    at = int(np.clip(y_M.argmin(), 1, len(y_M) - 2))
    before, middle, after = y_M[at - 1 : at + 2]
    bend = before - 2 * middle + after
    if bend <= 0:
        return float(x_M[at])
    shift = np.clip((before - after) / (2 * bend), -1, 1)
    return float(x_M[at] + shift * (x_M[1] - x_M[0]))
