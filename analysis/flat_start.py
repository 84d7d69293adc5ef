"""Whether a frontier starts flat, as near chance, and its law suffers: errors fall steeply later, and then less so.

A law of few parameters takes the steep part for all that comes. Letters of shapes: B laws, M places.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from scalectl.analysis.checks import Refused
from scalectl.analysis.estimation import estimated
from scalectl.analysis.law import Floats
from scalectl.analysis.report import AHEAD, Fitted
from scalectl.analysis.runs import trunks
from scalectl.analysis.sample import Manner
from scalectl.analysis.table import Table
from scalectl.analysis.vocabulary import FRONTIER

_FLAT = 0.5  # of the steepest slope, below which errors hardly fall
_SURE = 0.9  # of the draws start flat
_MOVED = 0.7  # of half the interval, from which on two predictions differ
_ALIKE = 2.0  # standard errors of the correlation of neighbours, from which on points don't scatter around the law
_PLACES = 60
_STEP = 0.02  # of log compute, over which a slope is taken


def flat_start(kept: Table, fit: Fitted, manner: Manner) -> Iterator[str]:
    """Yield what makes the law of a frontier doubtful that starts flat; `kept` are the runs it was fitted to."""
    if fit.runs != FRONTIER or not len(fit.draws):
        return
    compute = fit.frontier[fit.x].to_numpy(float)
    place_M = np.geomspace(compute[0], compute[-1], _PLACES)
    slope_BM = _slopes(fit, place_M)
    share_BM = slope_BM / slope_BM.max(axis=1, keepdims=True)
    flat = int(np.searchsorted(compute, place_M[np.argmax(share_BM[0] >= _FLAT)]))
    if not flat or np.quantile(share_BM[1:, 0], _SURE) > _FLAT:
        return
    least = float(f"{np.sqrt(compute[flat - 1] * compute[flat]):.3g}")
    said = "errors hardly fall at the start of the frontier, as near chance, and the law misses what comes after: "
    said += "beyond the runs it may be far off"
    if _moved(kept.beyond(least, fit.metric, fit.x), fit, manner):
        yield f'{said}; compare --where "{fit.x}>={least:.3g}"'
    elif _one_sided(fit):
        yield said


def _slopes(fit: Fitted, compute_M: Floats) -> Floats:
    """How fast the log error falls with log compute, of the law and then of its draws [B, M]."""
    params_BP = np.vstack([fit.law.values, fit.draws])
    here_BM, later_BM = (fit.law.family.predictions(params_BP, compute_M * factor) for factor in (1, np.exp(_STEP)))
    return np.maximum(np.log(here_BM / later_BM) / _STEP, np.finfo(float).tiny)


def _moved(later: Table, fit: Fitted, manner: Manner) -> bool:
    """Whether the runs after the start alone predict something else; False where they carry no law."""
    ahead = AHEAD * fit.largest
    try:
        without = estimated(later, fit.metric, fit.x, (), replace(manner, draws=0))(ahead)
    except Refused:
        return False
    low, high = (float(end[0]) for end in fit.band([ahead]))
    return bool(abs(np.log(without / fit(ahead))) > _MOVED * np.log(high / low) / 2)


def _one_sided(fit: Fitted) -> bool:
    """Whether neighbours lie on one side of the law (von Neumann's ratio), and not for the noise of a common trunk."""
    off = fit.residuals
    if len(set(trunks(fit.frontier))) < len(fit.frontier):
        return False
    return bool(np.sum(np.diff(off) ** 2) < 2 * (1 - _ALIKE / np.sqrt(len(off))) * np.sum(off**2))
