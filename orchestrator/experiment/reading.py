"""experiments.yaml to a checked Experiment: every problem at once, each with its place; nothing is run or written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalectl.orchestrator.errors import InvalidExperiment, Problem, Spot
from scalectl.orchestrator.experiment import own
from scalectl.orchestrator.experiment.checking import checked, in_folder_of
from scalectl.orchestrator.experiment.document import read_document, standing_alone
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.grid import Cell, Resolved
from scalectl.orchestrator.experiment.hooks import Hook
from scalectl.orchestrator.experiment.located import Located
from scalectl.orchestrator.experiment.resources import Limits, Resources
from scalectl.orchestrator.experiment.schema import Document
from scalectl.orchestrator.experiment.sources import SourceReport, reports
from scalectl.orchestrator.experiment.specs import datasets, evaluations, known
from scalectl.orchestrator.experiment.yaml_text import load
from scalectl.orchestrator.format import file_name
from scalectl.trainer.data.storage import remote
from scalectl.trainer.own_code import Code
from scalectl.trainer.spec import EvalSpec


@dataclass(frozen=True)
class Experiment:
    """A study that can be run: its cells in order, what is measured on them, and where; all paths are absolute."""

    name: str
    path: str
    document: str  # the text of the file, or all that it and the files that it extends say; without the overrides
    store: str
    artifacts: str
    cells: tuple[Cell, ...]
    skipped: int  # cells that grid.skip left out
    evals: EvalSpec
    limits: Limits
    fits: Mapping[str, Fit]
    checkpoint_every: int
    resources: Resources
    sources: tuple[SourceReport, ...]  # what is read
    warnings: tuple[Problem, ...]
    notify: Hook | None = None  # what is called when a launch ends, fails or pauses
    code: tuple[Code, ...] = ()  # of one's own, which jobs take along

    def figure(self, fit: str) -> Path:
        """The file of the frontier that a launch draws of a fit, beside its store: a file for each."""
        name = "frontier.png"
        if len(self.fits) > 1:
            name = f"frontier-{file_name(fit)}.png"
        return Path(self.store).parent / "plots" / file_name(self.name) / name


def read(path: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Experiment:
    """The experiment in the YAML file at `path`, with each (dotted key, YAML text) set in its place.

    Raises InvalidExperiment, which carries every problem with its line and column.
    """
    path = Path(path)
    located = read_document(path)
    if not isinstance(located.value, dict):
        message = "empty" if located.value is None else "not a mapping of keys to values"
        raise InvalidExperiment(Problem(located.spot(()), "", message, "an experiment starts with version: 1"))
    text = standing_alone(path, located)
    for key, value in overrides:
        _override(located, key, value)
    code, wrong = own.loaded(located.value, path.absolute().parent)
    if wrong:
        raise InvalidExperiment(*sorted([*located.problems, *map(located.problem, wrong)], key=_order))
    document, resolved, findings = checked(located.value, path)
    problems = sorted([*located.problems, *map(located.problem, findings)], key=_order)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidExperiment(*errors)
    return _experiment(path, text, document, resolved, tuple(problems), code)


def _order(problem: Problem) -> tuple[bool, int, int]:
    """The sorting key that puts the file from top to bottom first, then the options as they were given."""
    spot = problem.spot
    if spot.is_option:
        return True, 0, 0
    return False, spot.line, spot.column


def _override(located: Located, key: str, text: str) -> None:
    """Set a key from the command line; its place is `--set KEY` and the text that was typed."""
    spot = Spot(f"--set {key}", 1, 1, len(key), f"{key}={text}")
    try:
        part = load(text, spot.source, before=f"{key}=")
        part.keys[()] = spot
        located.put(tuple(key.split(".")), part)
    except InvalidExperiment as refused:
        located.problems += refused.problems
    except KeyError:
        located.problems.append(Problem(spot, key, "leads through a value that is no mapping", "set all of it"))


def _experiment(
    path: Path, text: str, document: Document, resolved: Resolved, warnings: tuple[Problem, ...], code: tuple[Code, ...]
) -> Experiment:
    side = known(document.data).image_size
    return Experiment(
        name=document.name,
        path=str(path.absolute()),
        document=text,
        store=str(in_folder_of(path, document.store)),
        artifacts=document.artifacts if remote(document.artifacts) else str(in_folder_of(path, document.artifacts)),
        cells=resolved.cells,
        skipped=resolved.skipped,
        evals=evaluations(document.evals, side, datasets(document.evals, side)),
        limits=document.limits,
        fits=document.fits,
        checkpoint_every=document.train.checkpoint_every,
        resources=document.resources,
        sources=reports(document.data, document.evals),
        warnings=warnings,
        notify=document.notify,
        code=code,
    )
