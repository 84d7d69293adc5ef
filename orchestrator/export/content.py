"""What an export of a study has: its points, curves and measurements as tables, and each run as a series of scalars."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.runs import among
from scalectl.orchestrator.export.readings import parts, readings
from scalectl.orchestrator.export.times import Lives, lives
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.tables import SETTINGS
from scalectl.orchestrator.vocabulary import RunState

_NAMES = ("name", "study", "state", "excluded", "origin", "digest")  # of a run, shown beside its settings
_CURVE = ("loss", "learning_rate", "grad_norm", "images_seen", "flops", "device_seconds")
_SPEED = ("images_per_second", "flops_per_second", "mfu")
GROUP = "train"  # the first part of the names of what a curve has
_NAMED = tuple(f"{GROUP}/{name}" for name in (*_CURVE, *_SPEED))
_LOSS = f"{GROUP}/loss"  # which is shown where it was not finite; of others that is not known
Setting = str | bool | int | float


@dataclass(frozen=True)
class Scalars:
    """The values of one step of a run; `at` is in Unix seconds. A value that was not finite is NaN."""

    step: int
    at: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class ExportedRun:
    """A run as trackers know one: settings, tags, and scalars in the order of their steps."""

    id: str
    name: str
    state: RunState
    settings: Mapping[str, Setting]
    tags: Mapping[str, str]
    started: float  # Unix seconds
    ended: float
    scalars: tuple[Scalars, ...]


@dataclass(frozen=True)
class Content:
    """The tables of a study: a row a run, a row a step of a run's curve, a row a reading of a metric."""

    study: str
    points: pd.DataFrame
    curves: pd.DataFrame
    measurements: pd.DataFrame
    lives: Mapping[str, Lives]

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files."""
        return {"points": self.points, "curves": self.curves, "measurements": self.measurements}

    def fingerprint(self) -> str:
        """The hash of all that an export is made of, the same wherever the content is."""
        digest = hashlib.sha256(repr((self.study, sorted(self.lives.items()))).encode())
        for table in self.tables().values():
            for number, part in enumerate(parts(table)):
                if number == 0:
                    digest.update(repr([(name, str(kind)) for name, kind in part.dtypes.items()]).encode())
                digest.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    def settings(self) -> list[str]:
        """The names of the settings that any run has."""
        names = (*SETTINGS, *_labels(self.points)[0])
        return [name for name in names if self.points[name].notna().any()]

    def runs(self) -> Iterator[ExportedRun]:
        """Yield the runs that have begun, in the order of the points."""
        curves = dict(iter(self.curves.groupby("run", sort=False)))
        readings = dict(iter(self.measurements.groupby("run", sort=False)))
        nothing = self.curves.iloc[:0]
        settings, words = _labels(self.points)
        for row in self.points.to_dict("records"):
            own = readings.get(row["run"], self.measurements.iloc[:0])
            life = self.lives.get(row["run"], Lives())
            scalars = tuple(_scalars(curves.get(row["run"], nothing), own, life))
            if scalars:
                yield _exported(row, (*SETTINGS, *settings), (*_NAMES, *words), life, scalars)


def content(store: Path, study: str | None, where: str | None = None) -> Content:
    """The content of a study; raises what `study_points` raises."""
    ask, points = study_points(store, study, where)
    chosen = set(points["run"])
    with reading(store) as connection:
        curves = pd.read_sql_table("curves", connection)
        measurements = readings(connection, points)
        times = {run: life for run, life in lives(connection).items() if run in chosen}
    return Content(
        ask.study,
        points,
        _of_runs(curves, chosen),
        measurements,
        times,
    )


def _of_runs(table: pd.DataFrame, chosen: Collection[str]) -> pd.DataFrame:
    return table[among(table["run"], chosen)].sort_values(["run", "step"], kind="stable").reset_index(drop=True)


def _labels(points: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What imported runs have of their files beside the columns of every store: their settings, and other words."""
    roles = points.attrs.get("columns", {})
    settings = [name for name, role in roles.items() if role == "trunk" and name not in (*SETTINGS, *_NAMES)]
    words = [name for name in points if name not in roles and not name.endswith("/test_images")]
    return settings, words


def _exported(
    row: Mapping[str, Any],
    of_settings: Collection[str],
    of_tags: Collection[str],
    life: Lives,
    scalars: tuple[Scalars, ...],
) -> ExportedRun:
    settings = {name: plain(row[name]) for name in of_settings if not pd.isna(row[name])}
    tags = {name: str(row[name]) for name in of_tags if not pd.isna(row[name])}
    if row["state"] == RunState.DIVERGED:
        tags["diverged"] = "true"
    started, ended = scalars[0].at, scalars[-1].at
    if life.spans:
        started = min(started, life.spans[0].started)
    return ExportedRun(
        str(row["run"]),
        str(row["name"]),
        RunState(row["state"]),
        settings,
        tags,
        started,
        max(ended, life.ended),
        scalars,
    )


def plain(value: Any) -> Setting:
    """A cell of a table as a value of Python."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def _scalars(curve: pd.DataFrame, readings: pd.DataFrame, life: Lives) -> Iterator[Scalars]:
    """Yield the values of each step, those of the curve and the readings of that step as one."""
    values = {
        step: {name: value for name, value in zip(_NAMED, row, strict=True) if not isnan(value) or name == _LOSS}
        for step, row in zip(curve["step"].tolist(), curve[[*_CURVE, *_SPEED]].to_numpy(float).tolist(), strict=True)
    }
    for row in readings.to_dict("records"):
        step = 0  # of an imported run whose file has no steps
        if not pd.isna(row["step"]):
            step = int(row["step"])
        values.setdefault(step, {})[str(row["metric"])] = float(row["value"])
    steps = sorted(values)
    for step, at in zip(steps, life.times(steps, curve["step"], curve["device_seconds"]), strict=True):
        yield Scalars(step, at, values[step])


def utc(seconds: float) -> datetime:
    """The moment of a number of Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)
