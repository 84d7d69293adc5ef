"""How noisy a measured error is, as far as that is known."""

import numpy as np

from scalectl.analysis.law import Floats

# Between the noise of runs, which is about a share of the error, and none that changes; docs/laws.md has the trial.
_POWER = 0.3
_LEAST = 1e-3  # of the largest error, below which noise doesn't fall: an error of 0 is no exact one


def relative(error_N: Floats) -> Floats:
    """The noise of each error where nothing else is known, as a share of that of the largest, which is 1."""
    return np.asarray(np.maximum(error_N / error_N.max(), _LEAST) ** _POWER)
