"""The runs of a page as columns: what each is, its state and why, its cost, its metrics; and the filters on them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scalectl.analysis.documents import known, plain_values
from scalectl.analysis.runs import COMPUTE, cells
from scalectl.analysis.store import metrics, of_trunk
from scalectl.analysis.vocabulary import AXES
from scalectl.orchestrator.store.snapshot import RunLine

_EXACT = 2**53  # from here on a browser would round a whole number: it is sent as text
_MOST_VALUES = 40  # of a filter; a column with more is none
_WHAT = ("model", "data_size", "steps")  # in which runs of any study differ
_COST = ("params", "images_seen", "flops", "marginal_flops", "device_seconds", "core_days", "test_images")
_HEAD = ("run", "name", "state", "excluded")
Columns = dict[str, list[Any]]


def described(points: pd.DataFrame, lines: Sequence[RunLine], exclusions: Mapping[str, str]) -> pd.DataFrame:
    """The points with the kind of a failure, why a run is not done or left out, its step, and numbers of its trunk and
    cell.
    """
    by_run = {line.id: line for line in lines}
    known_lines = [by_run.get(run) for run in points["run"].tolist()]
    reasons = [
        why(line, exclusions.get(run, "")) for run, line in zip(points["run"].tolist(), known_lines, strict=True)
    ]
    return points.assign(
        kind=[line.kind if line else "" for line in known_lines],
        step=[line.step if line else None for line in known_lines],
        why=reasons,
        shared=_trunks(points),
        cell=_cells(points),
    )


def why(line: RunLine | None, exclusion: str = "") -> str:
    """Why a run is left out of fits, failed, or waits; nothing for one that is done and used."""
    reasons = []
    if exclusion:
        reasons.append(f"excluded: {exclusion}")
    if line and line.waits_for:
        reasons.append(f"waits for {line.waits_for}")
    elif line and line.reason:
        reasons.append(line.reason)
    return "; ".join(reasons)


def _trunks(points: pd.DataFrame) -> list[int]:
    if points.empty:
        return []
    shared = points.groupby(of_trunk(points), dropna=False, sort=False).ngroup()
    return [int(number) for number in shared]


def _cells(points: pd.DataFrame) -> "pd.Series[Any]":
    """A number for each run, the same for seeds of one another; nothing where no run is a seed of another."""
    numbers = pd.Series(cells(points, COMPUTE), points.index)
    return numbers if numbers.duplicated().any() else pd.Series(None, points.index, object)


def measured(points: pd.DataFrame) -> list[str]:
    """The metrics that some run has."""
    return [name for name in metrics(points) if points[name].notna().any()]


def spent(points: pd.DataFrame) -> list[str]:
    """The columns of compute that some run has."""
    return [name for name in AXES if name in points and (points[name] > 0).any()]


def differing(points: pd.DataFrame) -> list[str]:
    """The settings in which runs differ, each once: the width of a model, which follows from that, is none."""
    shared = [name for name in of_trunk(points) if name not in (*_WHAT, *_COST, "origin")]
    candidates = [*_WHAT, *shared, *_labels(points)]
    chosen: list[str] = []
    for name in candidates:
        values = points[name].nunique(dropna=False)
        if values > 1 and not any(_follows(points, name, other) for other in chosen):
            chosen.append(name)
    return chosen


def _labels(points: pd.DataFrame) -> list[str]:
    """The columns that imported runs have beside those of every store."""
    roles = points.attrs.get("columns", {})
    own = (*_HEAD, "kind", "step", "why", "shared", "cell")
    return [name for name in points if name not in roles and name not in own and not name.endswith("/test_images")]


def _follows(points: pd.DataFrame, name: str, other: str) -> bool:
    return int(points.groupby(other, dropna=False)[name].nunique(dropna=False).max()) <= 1


def alike(points: pd.DataFrame) -> dict[str, Any]:
    """The settings that all runs share, as far as they are known."""
    names = [name for name in of_trunk(points) if name not in ("origin", *_COST)]
    values = {name: points[name].dropna().unique() for name in names}
    return {name: _plain(value[0]) for name, value in values.items() if len(value) == 1 and points[name].notna().all()}


def facets(points: pd.DataFrame, settings: Sequence[str]) -> list[dict[str, Any]]:
    """The filters: each setting that has few values, and the state."""
    names = [name for name in settings if points[name].nunique(dropna=False) <= _MOST_VALUES]
    if points["state"].nunique() > 1:
        names.append("state")
    if points["excluded"].nunique() > 1:
        names.append("excluded")
    return [{"name": name, "values": _values(points, name)} for name in names]


def models(points: pd.DataFrame) -> list[str]:
    """The models by size, as figures have them."""
    sizes = points.groupby("model")["params"].min().reset_index()
    return [str(name) for name in sizes.sort_values(["params", "model"])["model"]]


def _values(points: pd.DataFrame, name: str) -> list[Any]:
    if name == "model":
        return models(points)
    values = sorted(points[name].dropna().unique())
    missing = [None] if points[name].isna().any() else []
    return [*map(_plain, values), *missing]


def columns(points: pd.DataFrame, settings: Sequence[str]) -> Columns:
    """The columns that a page needs of its runs; None where a value isn't known."""
    images = [f"{metric}/test_images" for metric in metrics(points)]
    names = [*_HEAD, "kind", "why", "step", "shared", "cell", *_WHAT, *settings, *_COST, *metrics(points), *images]
    shown = [name for name in dict.fromkeys(names) if name in points and points[name].notna().any()]
    return {name: _column(points[name]) for name in shown}


def _column(column: "pd.Series[Any]") -> list[Any]:
    if isinstance(column.dtype, pd.StringDtype) or str(column.dtype) in ("float64", "bool"):
        return plain_values(column)
    return [None if missing else _plain(value) for value, missing in zip(column, column.isna(), strict=True)]


def _plain(value: Any) -> Any:
    """A value as JSON has it; a whole number that a browser can't hold is text."""
    plain = value
    if hasattr(value, "item"):
        plain = value.item()
    if type(plain) is int:
        return str(plain) if abs(plain) >= _EXACT else plain
    return known(plain)


def numbers(points: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Those of the columns that hold numbers."""
    return [name for name in names if name in points and _is_number(points[name])]


def _is_number(column: "pd.Series[Any]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def table_columns(points: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """The columns of the table of runs."""
    names = ["name", "state"]
    if (points["why"] != "").any():
        names.append("why")
    names += [
        "model",
        "params",
        "data_size",
        "steps",
        *settings,
        "flops",
        "device_seconds",
        "core_days",
        *metrics(points),
    ]
    if "device_seconds" in points and points["device_seconds"].notna().any():
        names.remove("core_days")
    return [name for name in dict.fromkeys(names) if name in points and points[name].notna().any()]
