"""The best runs at each compute: the running minimum of the error over compute."""

import difflib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.checks import RUN, above_0, checked
from analysis.refusal import Refused

UNITS = {"flops": "FLOPs", "device_seconds": "device-seconds", "core_days": "core-days"}
UNITS |= {"images_seen": "images seen", "data_size": "distinct images"}
NOT_SPENT = ("images_seen", "data_size")  # what training doesn't cost, and doesn't grow with the size of a model


def frontier(points: pd.DataFrame, metric: str, compute: str = "flops") -> pd.DataFrame:
    """Return the runs that no cheaper or equally cheap run equals or beats, cheapest first."""
    return front_of(usable(points, metric, compute), metric)


def front_of(usable: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the frontier of runs that `usable` returned."""
    return usable[is_best(usable[metric].to_numpy()[None])[0]].reset_index(drop=True)


def usable(points: pd.DataFrame, metric: str, compute: str = "flops", *needed: str) -> pd.DataFrame:
    """Return the runs that are done, not excluded and measured, and have what is `needed` of numbers above 0; by
    compute, then error, then id.

    Raises Refused for a metric or compute that is unknown or measured nowhere, for columns that are missing, and for
    values that no error or run can have.
    """
    _know(points, metric, compute)
    points = checked(points, RUN, (metric, compute, *needed))
    done = (points["state"] == "done") & ~points["excluded"].astype(bool)
    found = points[done & points[metric].notna() & points[compute].notna()]
    if found.empty:
        why = f"none of {done.sum()} done runs has {metric} and {compute}" if done.any() else "no run is done"
        raise Refused(f"{why}. {_source(points)}")
    _check(found, metric, compute)
    found = found.dropna(subset=list(needed))
    above_0(found, needed)
    return found.sort_values([compute, metric, "run"], ignore_index=True)


def places(usable: pd.DataFrame, compute: str) -> NDArray[np.int64]:
    """Return a number for each run [N], the same where model, data size, steps and FLOPs are: others are repeats."""
    known = [name for name in ("model", "data_size", "steps") if name in usable]
    spent = usable["flops"].fillna(usable[compute]) if "flops" in usable else usable[compute]
    keys = [*(usable[name] for name in known), spent]
    return usable.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()


def is_best(error_BN: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a row, sorted by compute, falls below all that came before."""
    before_BN = np.minimum.accumulate(error_BN, axis=1)[:, :-1]
    return error_BN < np.concatenate([np.full((len(error_BN), 1), np.inf), before_BN], axis=1)


def metrics(points: pd.DataFrame) -> list[str]:
    """Return the columns that hold metrics: those after `digest`, which ends the settings, or with a slash."""
    columns = list(points.columns)
    after = columns[columns.index("digest") + 1 :] if "digest" in columns else []
    return [name for name in columns if "/" in name or name in after]


def _know(points: pd.DataFrame, metric: str, compute: str) -> None:
    if compute not in UNITS:
        raise Refused(f"unknown compute {compute!r}: give one of {', '.join(UNITS)}.")
    known = metrics(points)
    if metric not in known:
        near = difflib.get_close_matches(metric, known, n=1)
        guess = f" did you mean {near[0]!r}?" if near else ""
        raise Refused(f"unknown metric {metric!r}:{guess} The store has {', '.join(known) or 'no metric yet'}.")


def _source(points: pd.DataFrame) -> str:
    if "origin" in points and len(points) and points["origin"].notna().all():
        return "Imported runs have what their file tells, and cells may be empty."
    return "A launch measures what `evals` asks for, at the end of each run."


def _check(found: pd.DataFrame, metric: str, compute: str) -> None:
    """Raise Refused for the first run whose numbers can't be those of an error at some compute."""
    if found["run"].duplicated().any():
        raise Refused(
            f"run {found['run'][found['run'].duplicated()].iloc[0]} is in the table twice: keep one row a run."
        )
    error, spent = found[metric].to_numpy(float), found[compute].to_numpy(float)
    bad = ~(np.isfinite(error) & (error >= 0) & np.isfinite(spent) & (spent > 0))
    if bad.any():
        row = found[bad].iloc[0]
        what = f"{metric} = {row[metric]:g} at {compute} = {row[compute]:g}"
        raise Refused(f"run {row['run']} has {what}: errors are finite and at least 0, compute is above 0. Exclude it.")
