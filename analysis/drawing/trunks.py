"""The runs that a thin line joins: the ends of one trunk, and never across one that is missing."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.runs import among, differs
from scalectl.analysis.store import of_trunk

_ALIKE = 1.25  # budgets of up to this many times the steps are one


def trunks(points: pd.DataFrame, runs: pd.DataFrame, metric: str, across: str) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield the model of each trunk and its ends, the metric over the column `across`; NaN parts some of them.

    Parted are ends between which a run of `points` is not among `runs`. Nothing tells what was planned of imported
    runs: there a budget is missing that the same model has with other data.
    """
    points = points.reset_index(drop=True).sort_values(["steps", across], kind="stable")
    shared, imported = of_trunk(points), pd.Series(data=False, index=points.index)
    shared = [name for name in shared if differs(points[name])] or shared[:1]
    if "origin" in points:
        imported = points["origin"].notna()
    budgets = {model: np.unique(group["steps"].dropna()) for model, group in points[imported].groupby("model")}
    joined = points.duplicated(shared, keep=False)
    points, imported_N = points[joined], imported[joined].to_numpy()
    model_N, steps_N, x_N = points["model"].tolist(), points["steps"].to_numpy(float), points[across].to_numpy(float)
    y_N = np.where(among(points["run"], runs["run"].tolist()), points[metric].to_numpy(float), np.nan)
    for ends in _groups(points.groupby(shared, dropna=False).ngroup().to_numpy()):
        gaps, model = list[int](), model_N[ends[0]]
        if imported_N[ends[0]]:
            gaps = _gaps(steps_N[ends], budgets[model])
        yield model, np.insert(x_N[ends], gaps, np.nan), np.insert(y_N[ends], gaps, np.nan)


def _groups(number_N: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The places of each number, those of the least number first."""
    if not len(number_N):
        return []
    order_N = np.argsort(number_N, kind="stable")
    return np.split(order_N, np.flatnonzero(np.diff(number_N[order_N])) + 1)


def _gaps(steps_N: Floats, budgets: Floats) -> list[int]:
    """The places of the ends before which a budget is missing."""
    return [
        place
        for place, (before, after) in enumerate(pairwise(steps_N), start=1)
        if ((budgets > _ALIKE * before) & (budgets < after / _ALIKE)).any()
    ]
