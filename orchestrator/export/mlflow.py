"""An export for MLflow: a tracking store on SQLite that MLflow makes, into whose tables runs and metrics go at once."""

import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ASYNC_LOGGING": "false"}  # read at its import

from mlflow.entities import LifecycleStage, SourceType
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from sqlalchemy import Connection, event, update
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.engine import Engine

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.export.content import Content, ExportedRun
from scalectl.orchestrator.vocabulary import RunState

FILE = "mlflow.db"
RUN = "scalectl.run"  # the tag that has the id of a run: MLflow chooses its own
_FILES = re.compile(rf"{re.escape(FILE)}(-wal|-shm|-journal)?")
_ARTIFACTS = "artifacts"
_LONGEST_PARAM, _LONGEST_NAME = 6000, 250
_REFUSED = re.compile(r"[^\w/.:\- ]")  # that a name of MLflow can't have
_COLUMNS = ("run_uuid", "key", "value", "timestamp", "step", "is_nan")
_PAIR = ("run_uuid", "key", "value")
_STATUS = {
    RunState.PLANNED: "SCHEDULED",
    RunState.RUNNING: "RUNNING",
    RunState.DONE: "FINISHED",
    RunState.STOPPED: "KILLED",
    RunState.FAILED: "FAILED",
    RunState.DIVERGED: "FAILED",
}


def _insert(table: Any, columns: Sequence[str], *changes: str) -> str:
    """The SQL that adds a row to a table of MLflow, and changes some of the columns of one that is there."""
    statement = insert(table)
    if changes:
        new = {name: statement.excluded[name] for name in changes}
        statement = statement.on_conflict_do_update(index_elements=["run_uuid", "key"], set_=new)
    else:
        statement = statement.on_conflict_do_nothing()
    return str(statement.compile(dialect=dialect(paramstyle="named"), column_keys=list(columns)))


_ADD = _insert(SqlMetric.__table__, _COLUMNS)
_SET = _insert(SqlParam.__table__, _PAIR)
_TAG = _insert(SqlTag.__table__, _PAIR, "value")
_LATEST = _insert(SqlLatestMetric.__table__, _COLUMNS, "value", "timestamp", "step", "is_nan")


def ours(name: str) -> bool:
    """Whether an export has a file of this name."""
    return bool(_FILES.fullmatch(name))


def check_runs(folder: Path) -> None:
    """Raise Refusal where the store in a folder has runs that somebody else logged there."""
    file = folder / FILE
    if not file.exists():
        return
    strangers = "SELECT count(*) FROM runs WHERE run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = ?)"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as store:
            number = store.execute(strangers, (RUN,)).fetchone()[0]
    except sqlite3.Error as error:
        raise Refusal(f"refused: {file} can't be read: {error}. Give another folder.") from error
    if number:
        raise Refusal(f"refused: {file} has {number} runs that no export wrote. Give another folder.")


class Writer:
    """Writes to a store of MLflow, which an MLflow server that is open shows."""

    def __init__(self, folder: Path, content: Content) -> None:
        for name in ("mlflow", "alembic"):  # each table that they make is no news
            logging.getLogger(name).setLevel(logging.WARNING)
        artifacts = (folder / _ARTIFACTS).absolute().as_uri()
        event.listen(Engine, "connect", _hurry)
        try:
            self._store: Any = SqlAlchemyStore(f"sqlite:///{(folder / FILE).absolute()}", artifacts)
        finally:
            event.remove(Engine, "connect", _hurry)
        event.listen(self._store.engine, "connect", _hurry)
        self._artifacts = f"{artifacts}/study"
        self._experiment = int(self._store.create_experiment(content.study, artifact_location=self._artifacts))
        self._runs: dict[str, str] = {}  # MLflow's ids, by ours
        self._keys = _Keys(content.measurements["metric"].unique())

    def begin(self, run: ExportedRun) -> None:
        """Begin a run with its settings and tags."""
        number = self._runs[run.id] = uuid.uuid4().hex
        settings = {name: str(value)[:_LONGEST_PARAM] for name, value in run.settings.items()}
        row = _row(run) | {
            "run_uuid": number,
            "experiment_id": self._experiment,
            "artifact_uri": f"{self._artifacts}/{number}/{SqlAlchemyStore.ARTIFACTS_FOLDER_NAME}",
        }
        with self._store.engine.begin() as connection:
            connection.execute(insert(SqlRun.__table__), row)
            self._pairs(connection, _SET, run, settings)
            self._pairs(connection, _TAG, run, {RUN: run.id, MLFLOW_RUN_NAME: run.name} | _tags(run))

    def add(self, run: ExportedRun) -> None:
        """Add the scalars of a run to what is there."""
        rows = list(_metrics(run, self._runs[run.id], self._keys))
        if not rows:
            return
        last = {row["key"]: row for row in rows}
        with self._store.engine.begin() as connection:
            connection.exec_driver_sql(_ADD, rows)
            connection.exec_driver_sql(_LATEST, list(last.values()))

    def end(self, run: ExportedRun) -> None:
        """Say what became of a run."""
        with self._store.engine.begin() as connection:
            own: Any = SqlRun.run_uuid == self._runs[run.id]
            connection.execute(update(SqlRun.__table__).where(own), _row(run))
            self._pairs(connection, _TAG, run, _tags(run))

    def _pairs(self, connection: Connection, statement: str, run: ExportedRun, pairs: Mapping[str, str]) -> None:
        if pairs:
            rows = [dict(zip(_PAIR, (self._runs[run.id], *pair), strict=True)) for pair in pairs.items()]
            connection.exec_driver_sql(statement, rows)

    def close(self) -> None:
        """Close the store."""
        self._store.engine.dispose()


def _row(run: ExportedRun) -> dict[str, Any]:
    """A run in MLflow's table of runs, as it is now; MLflow itself would ask for each of them a dozen times."""
    ended = None
    if run.state not in (RunState.PLANNED, RunState.RUNNING):
        ended = _millis(run.ended)
    return {
        "name": run.name,
        "source_type": SourceType.to_string(SourceType.UNKNOWN),
        "source_name": "",
        "entry_point_name": "",
        "user_id": "scalectl",
        "status": _STATUS[run.state],
        "start_time": _millis(run.started),
        "end_time": ended,
        "source_version": "",
        "lifecycle_stage": LifecycleStage.ACTIVE,
    }


def _tags(run: ExportedRun) -> dict[str, str]:
    return {f"scalectl.{name}": text for name, text in run.tags.items() if text}


def _metrics(run: ExportedRun, number: str, keys: "_Keys") -> Iterator[dict[str, Any]]:
    """Yield the rows of a run; MLflow would show an infinite value as a finite one."""
    for scalars in run.scalars:
        at = _millis(scalars.at)
        for name, value in scalars.values.items():
            cells = (number, keys.of(name), value, at, scalars.step, False)
            if not isfinite(value):
                cells = (number, keys.of(name), 0.0, at, scalars.step, True)
            yield dict(zip(_COLUMNS, cells, strict=True))


class _Keys:
    """The names of metrics without letters that MLflow refuses, a different one for each."""

    def __init__(self, names: Iterable[str]) -> None:
        self._keys = {name: name for name in names if _allowed(name) == name}

    def of(self, name: str) -> str:
        """The name that a metric has in MLflow: its own, if that can be."""
        if name not in self._keys:
            key, taken, number = _allowed(name), set(self._keys.values()), 2
            while key in taken:
                key = f"{_allowed(name)[: _LONGEST_NAME - 5]}_{number}"
                number += 1
            self._keys[name] = key
        return self._keys[name]


def _allowed(name: str) -> str:
    return _REFUSED.sub("_", name)[:_LONGEST_NAME]


def _millis(seconds: float) -> int:
    return round(seconds * 1000)


def _hurry(connection: Any, _: object) -> None:
    """Not wait for the disk at each of thousands of transactions: an export that is cut off is made again."""
    for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-100000"):
        connection.execute(f"PRAGMA {pragma}")
