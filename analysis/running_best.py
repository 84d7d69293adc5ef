"""Whether a curve is a running best: the least of the noisy measurements so far, below which new ones seldom lie.

A curve that never rises may be one, or one with little noise. A step that is exactly flat tells: measurements with
noise don't repeat. Without one, the question is how likely measurements with this noise would never rise.
"""

import numpy as np
from scipy.special import log_ndtr

from scalectl.analysis.gaussian_process import Floats

_LEAST = 6  # points: with fewer that never rise, nothing can be told
_HIDDEN = 2.0  # variance of the noise before the points that rise were left out, in that of what is left
_STEPS = 5  # over which falls are averaged


def likely_running_best(t_N: Floats, v_N: Floats) -> float:
    """How likely points at rising log x `t_N` with log y `v_N` are a running best, from 0 to 1."""
    fall_N = -np.diff(v_N)
    if len(v_N) < _LEAST or (fall_N < 0).any():
        return 0.0
    if not fall_N.all():
        return 1.0
    noise = _HIDDEN * _noise(t_N, v_N)
    if not noise:
        return 0.0
    usual_N = np.convolve(np.pad(fall_N, _STEPS // 2, mode="edge"), np.full(_STEPS, 1 / _STEPS), "valid")
    return float(-np.expm1(log_ndtr(usual_N / np.sqrt(2 * noise)).sum()))  # 1 - the chance that none rises


def _noise(t_N: Floats, v_N: Floats) -> float:
    """The variance of the noise, from how far each point lies off the line between its neighbours.

    This is the estimate of Gasser, Sroka and Jennen-Steinmetz (Biometrika 73, 1986).
    """
    share_N = (t_N[2:] - t_N[1:-1]) / (t_N[2:] - t_N[:-2])
    off_N = share_N * v_N[:-2] + (1 - share_N) * v_N[2:] - v_N[1:-1]
    return float(np.mean(off_N**2 / (share_N**2 + (1 - share_N) ** 2 + 1)))
