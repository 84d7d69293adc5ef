"""An export for MLflow: a tracking store on SQLite that MLflow makes; metrics go into its tables by the thousand."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from math import isinf, isnan
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ASYNC_LOGGING": "false"}  # read at its import

from mlflow.entities import Param, RunStatus, RunTag
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import Table, event
from sqlalchemy.dialects.sqlite import insert
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
_BATCH = 10_000  # rows of one statement
_STATUS = {
    RunState.PLANNED: "SCHEDULED",
    RunState.RUNNING: "RUNNING",
    RunState.DONE: "FINISHED",
    RunState.STOPPED: "KILLED",
    RunState.FAILED: "FAILED",
    RunState.DIVERGED: "FAILED",
}


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


def write(content: Content, folder: Path) -> None:
    """Write all runs of a study that have begun."""
    writer = Writer(folder, content)
    try:
        for run in content.runs():
            writer.begin(run)
            writer.add(run)
            writer.end(run)
    finally:
        writer.close()


class Writer:
    """Writes to a store of MLflow, which an MLflow server that is open shows."""

    def __init__(self, folder: Path, content: Content) -> None:
        for name in ("mlflow", "alembic"):  # each table that they make is no news
            logging.getLogger(name).setLevel(logging.WARNING)
        artifacts = (folder / _ARTIFACTS).absolute().as_uri()
        with _quick():
            self._store = SqlAlchemyStore(f"sqlite:///{(folder / FILE).absolute()}", artifacts)
            self._experiment = self._store.create_experiment(content.study, artifact_location=f"{artifacts}/study")
        self._runs: dict[str, str] = {}  # MLflow's ids, by ours

    def begin(self, run: ExportedRun) -> None:
        """Begin a run with its settings and tags."""
        tags = [RunTag(f"scalectl.{name}", text) for name, text in run.tags.items() if text]
        own = RunTag(RUN, run.id)
        made = self._store.create_run(self._experiment, "scalectl", _millis(run.started), [own, *tags], run.name)
        self._runs[run.id] = made.info.run_id
        settings = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in run.settings.items()]
        self._store.log_batch(made.info.run_id, metrics=[], params=settings, tags=[])

    def add(self, run: ExportedRun) -> None:
        """Add the scalars of a run to what is there."""
        rows = list(_metrics(run, self._runs[run.id]))
        last = {row["key"]: row for row in rows}
        engine: Engine = self._store.engine
        with engine.begin() as connection:
            table: Table = SqlMetric.__table__
            for start in range(0, len(rows), _BATCH):
                connection.execute(insert(table).on_conflict_do_nothing(), rows[start : start + _BATCH])
            if last:
                latest = insert(SqlLatestMetric.__table__)
                new = {name: latest.excluded[name] for name in ("value", "timestamp", "step", "is_nan")}
                statement = latest.on_conflict_do_update(index_elements=["run_uuid", "key"], set_=new)
                connection.execute(statement, list(last.values()))

    def end(self, run: ExportedRun) -> None:
        """Say what became of a run."""
        ended = None
        if run.state not in (RunState.PLANNED, RunState.RUNNING):
            ended = _millis(run.ended)
        status = RunStatus.from_string(_STATUS[run.state])
        self._store.update_run_info(self._runs[run.id], status, ended, run.name)
        state = [RunTag(f"scalectl.{name}", text) for name, text in run.tags.items() if text]
        self._store.log_batch(self._runs[run.id], metrics=[], params=[], tags=state)

    def close(self) -> None:
        """Close the store."""
        self._store.engine.dispose()


def _metrics(run: ExportedRun, number: str) -> Iterator[dict[str, Any]]:
    for scalars in run.scalars:
        for name, value in scalars.values.items():
            unknown = isnan(value) or isinf(value)  # MLflow would show an infinite one as a finite one
            known = value
            if unknown:
                known = 0.0
            yield {
                "run_uuid": number,
                "key": _REFUSED.sub("_", name)[:_LONGEST_NAME],
                "value": known,
                "timestamp": _millis(scalars.at),
                "step": scalars.step,
                "is_nan": unknown,
            }


def _millis(seconds: float) -> int:
    return round(seconds * 1000)


class _quick:  # noqa: N801 - a context, used as a function
    """While a new store is made, SQLite need not wait for the disk at each table: a store that fails is thrown away."""

    def __enter__(self) -> None:
        event.listen(Engine, "connect", self._relax)

    def __exit__(self, *error: object) -> None:
        event.remove(Engine, "connect", self._relax)

    @staticmethod
    def _relax(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")
