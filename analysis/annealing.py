"""What a learning rate does to a curve: progress follows the sum of it, and a curve falls as it comes down.

    log y = curve(sum of the learning rate) - effect * (1 - learning rate / its largest so far)

Tissue et al. (arXiv 2408.11029) have the same two terms. The effect is not known: it is weighed over a grid by what the
curve shows of it, with a wide prior where the learning rate has not come down yet.

Letters of shapes: N points, M places that are asked for, R effects.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalectl.analysis.checks import Refused
from scalectl.analysis.gaussian_process import Floats

EFFECTS = np.geomspace(0.01, 0.64, 10)  # falls of log y from the largest learning rate to 0
_MEDIAN, _SPREAD = 0.1, 1.0  # log-normal prior: median and standard deviation of the logarithm
_LEAST = 1e-3  # of the largest learning rate: below it, progress goes on as there
_SAME = 1e-3  # relative difference of two learning rates that may be rounding
PRIOR = -((np.log(EFFECTS / _MEDIAN) / _SPREAD) ** 2) / 2  # logarithm [R]


@dataclass(frozen=True)
class Schedule:
    """The learning rate at the points of a curve and at the places that are asked for, as it acts on the curve."""

    total: Floats  # sum of the learning rate up to each point: above 0, and rising with x [N]
    down: Floats  # share of its largest so far by which the learning rate has come down [N]
    total_ahead: Floats  # both at the places that are asked for [M]
    down_ahead: Floats
    varies: bool

    def at_end(self) -> "Schedule":
        """The schedule with the last place alone."""
        return replace(self, total_ahead=self.total_ahead[-1:], down_ahead=self.down_ahead[-1:])


def schedule(x_N: Floats, x_M: Floats, rate_X: Floats) -> Schedule:
    """The schedule with these learning rates, of the points and then of the places, joined by straight lines.

    Raises Refused for another number of rates, for two at one x, and for none above 0.
    """
    x_X = np.concatenate([x_N, x_M])
    if rate_X.shape != x_X.shape:
        wanted = f"give one for each of x_train, then one for each of x_test: {len(x_N)} + {len(x_M)}"
        raise Refused(f"learning_rate has the shape {rate_X.shape}; {wanted}")
    known_K, first_K, place_X = np.unique(x_X, return_index=True, return_inverse=True)
    rate_K = rate_X[first_K]
    same_X = np.isclose(rate_K[place_X], rate_X, rtol=_SAME, atol=0.0)
    if not same_X.all():
        twice = x_X[~same_X][0]
        raise Refused(f"learning_rate has two values at x = {twice:g}: a curve is of one training run")
    largest_K = np.maximum.accumulate(rate_K)
    if not rate_K.any():
        raise Refused("learning_rate is 0 everywhere: leave it out")
    acting_K = np.maximum(rate_K, _LEAST * largest_K[-1])
    steps_K = np.diff(known_K, prepend=0.0) * (acting_K + np.append(acting_K[0], acting_K[:-1])) / 2
    total_X = np.cumsum(steps_K)[place_X]
    down_X = ((largest_K - rate_K) / np.where(largest_K > 0, largest_K, 1.0))[place_X]  # 0 in a warmup
    points = len(x_N)
    varies = bool((rate_K != rate_K[0]).any())
    return Schedule(total_X[:points], down_X[:points], total_X[points:], down_X[points:], varies)
