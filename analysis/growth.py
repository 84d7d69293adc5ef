"""How the best size, or the images that it sees, grows with compute: a line in logarithms, and how well it is known."""

from dataclasses import dataclass, field

import numpy as np

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.law import Floats


@dataclass(frozen=True)
class Growth:
    """y = coefficient C^exponent; the interval of the exponent is that of a regression in logarithms, 90 %."""

    coefficient: float
    exponent: float
    low: float
    high: float
    minima: "_Minima" = field(repr=False, compare=False)

    def __call__(self, compute: float) -> float:
        """y at a compute."""
        with np.errstate(over="ignore"):
            return float(self.coefficient * np.float64(compute) ** self.exponent)

    @property
    def determined(self) -> bool:
        """Whether the minima say that y grows with compute, and more slowly than it."""
        return self.low > 0 and self.high < 1

    def interval(self, compute: float) -> tuple[float, float]:
        """The 90 % interval of the best y of a budget, which holds the scatter of the minima; 0 and infinity where it
        is wider than any number.
        """
        reach = self.minima.reach(float(np.log(compute)))
        with np.errstate(over="ignore"):
            low, high = np.exp([-reach, reach]) * self(compute)
        return float(low), float(high)

    def to_json(self) -> dict[str, float | bool]:
        """It as a JSON object."""
        law = {"coefficient": self.coefficient, "exponent": self.exponent, "low": self.low, "high": self.high}
        return {**law, "determined": self.determined}


@dataclass(frozen=True)
class _Minima:
    """How well a line through minima is known, in logarithms."""

    number: int
    middle: float  # of log compute
    spread: float  # the sum of squares around it
    scatter: float  # of a minimum around the line, by its degrees of freedom

    def reach(self, log_compute: float) -> float:
        """How far a new minimum may lie from the line."""
        from scipy import stats

        away = (log_compute - self.middle) ** 2 / self.spread
        deviation = self.scatter * np.sqrt(1 + 1 / self.number + away)
        return float(stats.t.ppf((1 + LEVEL) / 2, self.number - 2) * deviation)


def growth(spent: Floats, best: Floats) -> Growth:
    """The power law through what was best at each compute, by a regression in logarithms."""
    from scipy import stats

    line = stats.linregress(np.log(spent), np.log(best))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(spent) - 2) * line.stderr)
    slope, log_x = float(line.slope), np.log(spent)
    off = np.log(best) - line.intercept - slope * log_x
    scatter = float(np.sqrt((off**2).sum() / (len(spent) - 2)))
    minima = _Minima(len(spent), float(log_x.mean()), float(((log_x - log_x.mean()) ** 2).sum()), scatter)
    return Growth(float(np.exp(line.intercept)), slope, slope - reach, slope + reach, minima)
