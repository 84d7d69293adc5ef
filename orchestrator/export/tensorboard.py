"""An export for TensorBoard: a folder a run with its scalars and hparams, by TensorBoard's own writer of records."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb, hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from scalectl.orchestrator.export.content import GROUP, Content, ExportedRun
from scalectl.orchestrator.vocabulary import RunState

EVENTS = "events.out.tfevents.0.scalectl"  # TensorBoard wants the middle; the host, which it puts last, is nobody's
_FILE = re.compile(rf"([^/]+/)?{re.escape(EVENTS)}")
_LONGEST = 100  # bytes of a folder's name
_VERSION = "brain.Event:2"
_STATUS = {
    RunState.DONE: api_pb2.STATUS_SUCCESS,
    RunState.FAILED: api_pb2.STATUS_FAILURE,
    RunState.DIVERGED: api_pb2.STATUS_FAILURE,
}


def ours(name: str) -> bool:
    """Whether an export has a file of this name."""
    return bool(_FILE.fullmatch(name))


class Writer:
    """Writes event files, which a TensorBoard that is open follows."""

    def __init__(self, folder: Path, content: Content) -> None:
        self._folder = folder
        self._names = folder_names(content)
        columns = [HParam(name) for name in _settings(content)]
        metrics = [Metric(name) for name in _metrics(content)]
        self._write(folder, 0.0, [hparams_config_pb(columns, metrics, time_created_secs=0.0)], new=True)

    def begin(self, run: ExportedRun) -> None:
        """Begin a run with its settings."""
        settings = hparams_pb(dict(run.settings), trial_id=run.id, start_time_secs=run.started)
        self._write(self._place(run), run.started, [settings], new=True)

    def add(self, run: ExportedRun) -> None:
        """Add the scalars of a run to what is there."""
        with _opened(self._place(run)) as file:
            records = RecordWriter(file)
            for scalars in run.scalars:
                values = [
                    summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.values.items()
                ]
                event = event_pb2.Event(
                    wall_time=scalars.at, step=scalars.step, summary=summary_pb2.Summary(value=values)
                )
                records.write(event.SerializeToString())

    def end(self, run: ExportedRun) -> None:
        """Say how a run ended, where it has."""
        if run.state in _STATUS:
            self._write(self._place(run), run.ended, [_session_end(_STATUS[run.state], run.ended)])

    def close(self) -> None:
        """Leave nothing open, which is so between any two calls."""

    def _place(self, run: ExportedRun) -> Path:
        return self._folder / self._names[run.id]

    def _write(self, place: Path, at: float, summaries: list[Any], *, new: bool = False) -> None:
        place.mkdir(exist_ok=True)
        with _opened(place) as file:
            records = RecordWriter(file)
            if new:
                records.write(event_pb2.Event(wall_time=at, file_version=_VERSION).SerializeToString())
            for content in summaries:
                records.write(event_pb2.Event(wall_time=at, summary=content).SerializeToString())


def _session_end(status: int, at: float) -> Any:
    """How a session ended: TensorBoard's own function for that wants TensorFlow."""
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=at)
    said = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    value = {"tag": metadata.SESSION_END_INFO_TAG, "metadata": said, "tensor": metadata.NULL_TENSOR}
    return summary_pb2.Summary(value=[value])


def _opened(place: Path) -> Any:
    return (place / EVENTS).open("ab")


def folder_names(content: Content) -> Mapping[str, str]:
    """The folder of each run by its id: its name with letters that a file may have; with its id where two are equal."""
    rows = list(zip(content.points["run"], content.points["name"], strict=True))
    safe = {run: _cut(re.sub(r"[^\w.=@+-]", "_", str(name))).lstrip(".") or "run" for run, name in rows}
    alike = Counter(name.lower() for name in safe.values())
    return {run: f"{name}-{run}" if alike[name.lower()] > 1 else name for run, name in safe.items()}


def _cut(name: str) -> str:
    return name.encode()[:_LONGEST].decode(errors="ignore")


def _settings(content: Content) -> list[str]:
    """The settings that any run has: a table of TensorBoard shows no other. Those that differ come first."""
    names = content.settings()
    numbers = content.points[names].nunique(dropna=False)
    return sorted(names, key=lambda name: numbers[name] == 1)


def _metrics(content: Content) -> list[str]:
    names = [str(name) for name in content.measurements["metric"].unique()]
    return names or [f"{GROUP}/loss"]
