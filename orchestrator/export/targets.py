"""The formats that a study is exported to, and the extra that each needs."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.export.content import Content, content
from scalectl.orchestrator.export.folder import Mark, check_replaceable, place, read_mark
from scalectl.orchestrator.format import file_name
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.report.points import select_runs
from scalectl.orchestrator.store.reading import Store


class NoPackage(Refusal):
    """The package that a format needs is not installed."""

    exit = Exit.NOT_FOUND


@dataclass(frozen=True)
class Target:
    """A format: the module that writes it, by a function or run by run with its Writer, and the extra that it needs."""

    name: str
    module: str
    function: str = ""
    extra: str = ""
    opened_by: str = ""  # what people do with the folder
    all_opened_by: str = ""  # and with one that has a folder for each study

    def load(self) -> Any:
        """The module; raises NoPackage where its package is missing."""
        try:
            return import_module(f"scalectl.orchestrator.export.{self.module}")
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("scalectl"):
                raise
            hint = f"pip install 'scalectl[{self.extra}]'"
            raise NoPackage(f"--to {self.name} needs {error.name}, which is not installed: {hint}") from error

    def write(self, content: Content, folder: Path) -> None:
        """Write all runs of a study that have begun."""
        module = self.load()
        if self.function:
            getattr(module, self.function)(content, folder)
            return
        with closing(module.Writer(folder, content)) as writer:
            for run in content.runs():
                writer.begin(run)
                writer.add(run)
                writer.end(run)


_ALL = (
    Target("csv", "tables", "write_csv"),
    Target("parquet", "tables", "write_parquet"),
    Target("jsonl", "tables", "write_jsonl"),
    Target(
        "tensorboard",
        "tensorboard",
        extra="tensorboard",
        opened_by="tensorboard --logdir {}",
        all_opened_by="tensorboard --logdir {}",
    ),
    Target(
        "wandb",
        "wandb",
        "write",
        extra="wandb",
        opened_by="wandb sync {}/wandb/offline-run-*",
        all_opened_by="wandb sync {}/*/wandb/offline-run-*",
    ),
    Target(
        "mlflow",
        "mlflow",
        extra="mlflow",
        opened_by="mlflow server --backend-store-uri sqlite:///{}/mlflow.db",
        all_opened_by="mlflow server --backend-store-uri sqlite:///{}/STUDY/mlflow.db",
    ),
)
TARGETS = {target.name: target for target in _ALL}


@dataclass(frozen=True)
class Exported:
    """What an export has, and whether anything was written."""

    content: Content
    new: bool


def export_to(name: str, folder: Path, store: Path, study: str | None, where: str | None = None) -> Exported:
    """Write a study in a format to a folder, in place of an earlier export of ours there.

    The same content again changes nothing. Raises NoPackage, Refusal for a folder that holds anything else, and what
    `content` raises.
    """
    target = TARGETS[name]
    module = target.load()
    ready(name, folder, module)
    chosen = content(store, study, where)
    mark = Mark(name, chosen.study, chosen.fingerprint())
    new = place(folder, mark, module.ours, lambda partial: target.write(chosen, partial))
    return Exported(chosen, new)


def export_all(name: str, folder: Path, store: Path, where: str | None = None) -> Iterator[tuple[Path, Exported]]:
    """Write each study that has runs which `where` chooses to a folder of its own in `folder`; yield these.

    Raises NotFound for a store without a study, Refusal where `where` chooses no run at all or `folder` is the export
    of one study, and what `export_to` raises.
    """
    if read_mark(folder) is not None:
        raise Refusal(f"refused: {folder} is the export of one study. Give another folder.")
    reader = Store(store)
    reader.study()
    names = reader.studies()
    chosen = [study for study in names if _has_runs(store, study, where)]
    if not chosen:
        raise Refusal(f"--where {where!r} chooses none of the runs of {', '.join(names)}.")
    for study in chosen:
        own = folder / file_name(study)
        yield own, export_to(name, own, store, study, where)


def _has_runs(store: Path, study: str, where: str | None) -> bool:
    if where is None:
        return True
    _, points = study_points(store, study)  # with its names of models, as its export has them
    return not select_runs(points, "--where", where).empty


def ready(name: str, folder: Path, module: Any) -> None:
    """Raise Refusal where a folder holds anything that an export to this format did not write."""
    check_replaceable(folder, name, module.ours)
    if hasattr(module, "check_runs"):
        module.check_runs(folder)
