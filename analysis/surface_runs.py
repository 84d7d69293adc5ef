"""Runs that a law of model size and data is fitted to, checked: three lists of numbers that can tell its exponents."""

from reprlib import repr as shortened

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalectl.analysis.checks import Refused
from scalectl.analysis.counting import counted

Floats = NDArray[np.float64]

LEAST_POINTS = 7
LEAST_TIED = 6  # with one exponent for both
_LEVELS = 3  # model sizes and amounts of data: the loss at two fits any exponent, each with its own A and E
_ROUNDED = 1.002  # factor between sizes that are one


def three_lists(N: ArrayLike, D: ArrayLike, L: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Sizes, data and losses as floats [N] each; raises Refused unless they are lists of one length and above 0."""
    n_N, d_N, l_N = (_floats(name, values) for name, values in (("N", N), ("D", D), ("L", L)))
    if n_N.ndim != 1 or not n_N.shape == d_N.shape == l_N.shape:
        raise Refused(f"N, D and L must be three lists of one length, not {n_N.shape}, {d_N.shape}, {l_N.shape}.")
    for name, values in (("N", n_N), ("D", d_N), ("L", l_N)):
        if bad := int((~(np.isfinite(values) & (values > 0))).sum()):
            raise Refused(f"{bad} of {len(values)} values of {name} are not finite and above 0; leave them out.")
    return n_N, d_N, l_N


def _floats(name: str, values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{name} must be a list or an array of numbers, not {shortened(values)}.") from None


def carries(n_N: Floats, d_N: Floats, *, tied: bool) -> None:
    """Raise Refused where the runs are too few, or their sizes and data can't tell the exponents.

    One exponent for both is told by three of either.
    """
    least = LEAST_POINTS
    if tied:
        least = LEAST_TIED
    if len(n_N) < least:
        raise Refused(f"{counted(len(n_N), 'run')}, and a law with {least - 2} parameters needs {least}. Add runs.")
    sizes, amounts = _levels("N", n_N, "model sizes"), _levels("D", d_N, "amounts of data")
    few = [plural for plural, count in (("model sizes", sizes), ("amounts of data", amounts)) if count < _LEVELS]
    if few and not (tied and len(few) == 1):
        raise Refused(
            f"the runs have two {' and two '.join(few)}: any exponent fits two, three tell one. Add other {few[0]}."
        )
    logs = np.log(np.stack([n_N, d_N], axis=1))
    off_line = np.linalg.svd(logs - logs.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(logs))
    if off_line < np.log(_ROUNDED):
        raise Refused("N and D of all runs lie on one line in log-log; vary one while the other stays.")


def _levels(name: str, values: Floats, plural: str) -> int:
    """How many different sizes there are, counted up to those that are needed; raises Refused for one."""
    ordered, count, first = np.sort(values), 0, 0
    while first < len(ordered) and count < _LEVELS:
        count, first = count + 1, int(np.searchsorted(ordered, _ROUNDED * ordered[first], side="right"))
    if count == 1:
        raise Refused(f"all runs have {name} = {values[0]:.6g}; add other {plural}.")
    return count


def numbered(trunks: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """A number for each run [N], the same for those of one trunk; raises Refused unless each run has one."""
    if trunks is None:
        return np.arange(count)
    labels = np.asarray(trunks)
    if labels.shape != (count,):
        raise Refused(f"trunks must be a list as long as N, D and L, {count}, not {labels.shape}.")
    return np.unique(labels, return_inverse=True)[1]
