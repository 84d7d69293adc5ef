"""An export for Weights & Biases: offline runs, written by its own client without network, for `wandb sync`."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import wandb

from scalectl.orchestrator.export.content import Content, ExportedRun, utc
from scalectl.orchestrator.vocabulary import RunState

_FILE = re.compile(r"wandb/offline-run-[^/]+/(run-[^/]+\.wandb|files/.*)")
_OWN = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR")
_AT_ONCE = 8  # runs whose ends are waited for together
_WORDS = re.compile(r"[^\w.-]")  # that the id of a run had better not have


def ours(name: str) -> bool:
    """Whether an export has a file of this name."""
    return bool(_FILE.fullmatch(name))


def write(content: Content, folder: Path) -> None:
    """Write all runs of a study that have begun, each as a folder that `wandb sync` uploads."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as elsewhere:
        os.environ |= dict.fromkeys((*_OWN, "WANDB_DIR"), elsewhere) | {"WANDB_ERROR_REPORTING": "false"}
        try:
            for run in _write(content, Path(elsewhere)):
                _move(run, Path(elsewhere), folder)
        finally:
            wandb.teardown()
            os.environ.clear()
            os.environ |= before


def _move(run: ExportedRun, elsewhere: Path, folder: Path) -> None:
    """Bring what `wandb sync` wants to the folder, named by the start of the run; logs of this machine stay behind."""
    (made,) = elsewhere.glob(f"wandb/offline-run-*-{_id(run)}")
    own = folder / "wandb" / f"offline-run-{utc(run.started):%Y%m%d_%H%M%S}-{_id(run)}"
    own.mkdir(parents=True)
    for name in (f"run-{_id(run)}.wandb", "files"):
        shutil.move(made / name, own / name)


def _id(run: ExportedRun) -> str:
    """The id of a run, without letters that W&B refuses."""
    return _WORDS.sub("_", run.id)


def _write(content: Content, elsewhere: Path) -> Iterator[ExportedRun]:
    """Write the runs, and yield each when it is finished; the ends of several are waited for together."""
    going: list[tuple[ExportedRun, wandb.Run]] = []
    for run in content.runs():
        going.append((run, _run(content.study, run, elsewhere)))
        if len(going) >= _AT_ONCE:
            yield from _finished(going)
            going = []
    yield from _finished(going)


def _finished(going: "list[tuple[ExportedRun, wandb.Run]]") -> Iterator[ExportedRun]:
    for run, made in going:
        made.finish(exit_code=int(run.state in (RunState.FAILED, RunState.DIVERGED)))
        yield run


def _run(study: str, run: ExportedRun, folder: Path) -> "wandb.Run":
    settings = wandb.Settings(
        root_dir=str(folder),
        host="scalectl",  # not the name of this machine
        console="off",
        silent=True,
        disable_git=True,
        save_code=False,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        x_start_time=run.started,
    )
    tags = {f"scalectl.{name}": text for name, text in run.tags.items()}
    made = wandb.init(
        mode="offline",
        project=_WORDS.sub("_", study),
        id=_id(run),
        name=run.name,
        config=dict(run.settings) | tags,
        settings=settings,
        reinit="create_new",
    )
    for scalars in run.scalars:
        made.log({**scalars.values, "_timestamp": scalars.at}, step=scalars.step)
    return made
