"""An export for Weights & Biases: offline runs for `wandb sync`, in the records of its own client.

The client takes a run through a socket, a row at a time, and wakes two threads for each: half a minute for 300 runs.
What it writes in the end are records of its protobuf messages in LevelDB's format of logs; these are written here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import wandb
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined] # made when it is imported

from scalectl.orchestrator.export.content import Content, ExportedRun, Scalars, utc
from scalectl.orchestrator.export.record_log import log_of
from scalectl.orchestrator.vocabulary import RunState

_FILE = re.compile(r"wandb/offline-run-[^/]+/(run-[^/]+\.wandb(\.sync[a-z]*)?|files/.*|logs/.*)")
_HEAD = b":W&B\xe1\xbe\x00"  # its mark, and the version of the format
_EXIT = {RunState.DONE: 0, RunState.FAILED: 1, RunState.DIVERGED: 1}
_CUT_OFF = 255  # what the client gives a run that Ctrl-C ends: one that is not done is not finished either
_WORDS = re.compile(r"[^\w.-]")  # that the id of a run had better not have


def ours(name: str) -> bool:
    """Whether an export has a file of this name, or `wandb sync` leaves one there."""
    return bool(_FILE.fullmatch(name))


def write(content: Content, folder: Path) -> None:
    """Write all runs of a study that have begun, each as a folder that `wandb sync` uploads."""
    for run in content.runs():
        own = folder / "wandb" / f"offline-run-{utc(run.started):%Y%m%d_%H%M%S}-{_id(run)}"
        (own / "files").mkdir(parents=True)
        records = (record.SerializeToString() for record in run_records(content.study, run))
        (own / f"run-{_id(run)}.wandb").write_bytes(log_of(records, _HEAD))


def _id(run: ExportedRun) -> str:
    """The id of a run, without letters that W&B refuses."""
    return _WORDS.sub("_", run.id)


def run_records(study: str, run: ExportedRun) -> Iterator[Record]:
    """Yield the records of a run in the order in which the client writes them, numbered from 1."""
    for number, record in enumerate(_bare(study, run), 1):
        record.num = number
        yield record


def _bare(study: str, run: ExportedRun) -> Iterator[Record]:
    yield Record(header={"version_info": {"producer": wandb.__version__}})
    yield _beginning(study, run)
    last: dict[str, Any] = {}
    for scalars in run.scalars:
        row = _row(run, scalars)
        last |= row
        yield Record(history={"item": _items(row), "step": {"num": scalars.step}})
    yield Record(summary={"update": _items(last)})
    code = _EXIT.get(run.state, _CUT_OFF)
    yield Record(exit={"exit_code": code, "runtime": round(run.ended - run.started)})


def _beginning(study: str, run: ExportedRun) -> Record:
    """The record of a run itself: its names, settings and start, and not the name of this machine."""
    tags = {f"scalectl.{name}": text for name, text in run.tags.items()}
    record = Record()
    record.run.run_id = _id(run)
    record.run.project = _WORDS.sub("_", study)
    record.run.display_name = run.name
    record.run.host = "scalectl"
    record.run.start_time.FromNanoseconds(round(run.started * 1e6) * 1000)
    for key, value in (dict(run.settings) | tags).items():
        record.run.config.update.add(key=key, value_json=json.dumps(value))
    return record


def _row(run: ExportedRun, scalars: Scalars) -> Mapping[str, float]:
    """A row as W&B has one, by the time of training and not of this export."""
    own = {"_timestamp": scalars.at, "_runtime": scalars.at - run.started, "_step": scalars.step}
    return {**scalars.values, **own}


def _items(row: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"nested_key": [name], "value_json": _number(value)} for name, value in row.items()]


def _number(value: float) -> str:
    """A number in JSON as the client writes it, with NaN and Infinity."""
    return repr(value) if isfinite(value) else json.dumps(value)
