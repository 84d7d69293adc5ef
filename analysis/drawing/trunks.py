"""The runs that a thin line joins: the ends of one trunk, and never across one that is missing."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from scalectl.analysis.law import Floats
from scalectl.analysis.store import of_trunk

_ALIKE = 1.25  # budgets of up to this many times the steps are one


def trunks(points: pd.DataFrame, runs: pd.DataFrame, metric: str, across: str) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield the model of each trunk and its ends, the metric over the column `across`; NaN parts some of them.

    Parted are ends between which a run of `points` is not among `runs`. Nothing tells what was planned of imported
    runs: there a budget is missing that the same model has with other data.
    """
    points = points.reset_index(drop=True).sort_values(["steps", across], kind="stable")
    shared, imported = of_trunk(points), pd.Series(data=False, index=points.index)
    if "origin" in points:
        imported = points["origin"].notna()
    budgets = {model: np.unique(group["steps"].dropna()) for model, group in points[imported].groupby("model")}
    drawn = points["run"].isin(runs["run"])
    for _, ends in points[points.duplicated(shared, keep=False)].groupby(shared, dropna=False):
        model = ends["model"].iloc[0]
        xs = ends[across].to_numpy(float)
        ys = np.where(drawn[ends.index], ends[metric].to_numpy(float), np.nan)
        gaps = list[int]()
        if imported[ends.index[0]]:
            gaps = _gaps(ends["steps"].to_numpy(float), budgets[model])
        yield model, np.insert(xs, gaps, np.nan), np.insert(ys, gaps, np.nan)


def _gaps(steps_N: Floats, budgets: Floats) -> list[int]:
    """The places of the ends before which a budget is missing."""
    return [
        place
        for place, (before, after) in enumerate(pairwise(steps_N), start=1)
        if ((budgets > _ALIKE * before) & (budgets < after / _ALIKE)).any()
    ]
