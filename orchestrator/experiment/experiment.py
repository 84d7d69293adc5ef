"""experiments.yaml to a checked Experiment: every problem at once, each with its place; nothing is run or written."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scalectl.orchestrator.errors import Finding, InvalidExperiment, Problem, Spot
from scalectl.orchestrator.experiment.bases import document as document_of
from scalectl.orchestrator.experiment.bases import text as text_of
from scalectl.orchestrator.experiment.checks import CHECKS, hold_outs_leave_some
from scalectl.orchestrator.experiment.checks_data import datasets_are_images, files_are_images
from scalectl.orchestrator.experiment.document import Located, load
from scalectl.orchestrator.experiment.grid import Cell, Resolved, resolve
from scalectl.orchestrator.experiment.keys import schema_json
from scalectl.orchestrator.experiment.messages import findings
from scalectl.orchestrator.experiment.resources import Limits, Resources
from scalectl.orchestrator.experiment.schema import Document, Fit
from scalectl.orchestrator.experiment.specs import datasets, evaluations, known
from scalectl.orchestrator.experiment.values import shown
from scalectl.trainer.spec import EvalSpec

__all__ = ["Experiment", "InvalidExperiment", "Problem", "read", "schema_json"]


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
    warnings: tuple[Problem, ...]

    @property
    def figure(self) -> Path:
        """Return where a launch draws the frontier: beside its store."""
        return Path(self.store).parent / "plots" / "frontier.png"


def read(path: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Experiment:
    """Return the experiment in the YAML file at `path`, with each (dotted key, YAML text) set in its place.

    Raises InvalidExperiment, which carries every problem with its line and column.
    """
    path = Path(path)
    located = document_of(path)
    if not isinstance(located.value, dict):
        what = "empty" if located.value is None else "not a mapping of keys to values"
        raise InvalidExperiment(Problem(located.spot(()), "", what, "an experiment starts with version: 1"))
    text = json.dumps(located.value) if "extends" in located.value else text_of(path)
    for key, typed in overrides:
        _override(located, key, typed)
    document, resolved, found = _checked(located.value, {"folder": path.absolute().parent})
    if document is not None:
        found += _places(document, path)
    problems = sorted([*located.problems, *map(located.problem, found)], key=_order)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or document is None:
        raise InvalidExperiment(*errors)
    return _experiment(path, text, document, resolved, tuple(problems))


def _order(problem: Problem) -> tuple[bool, int, int]:
    """Return the sorting key that puts the file from top to bottom first, then the options as they were given."""
    spot = problem.spot
    return (True, 0, 0) if spot.is_option else (False, spot.line, spot.column)


def _override(located: Located, key: str, typed: str) -> None:
    """Set a key from the command line; its place is `--set KEY` and the text that was typed."""
    spot = Spot(f"--set {key}", 1, 1, len(key), f"{key}={typed}")
    try:
        other = load(typed, spot.source, before=f"{key}=")
        other.keys[()] = spot
        located.put(tuple(key.split(".")), other)
    except InvalidExperiment as refused:
        located.problems += refused.problems
    except KeyError:
        located.problems.append(Problem(spot, key, "leads through a value that is no mapping", "set all of it"))


def _checked(value: dict[str, Any], context: dict[str, Any]) -> tuple[Document | None, Resolved, list[Finding]]:
    """Return the document, its grid, and what is wrong with them; whatever is right so far is checked further."""
    document, found = None, []
    try:
        document = Document.model_validate(value, context=context)
        sections = {name: getattr(document, name) for name in Document.model_fields}
    except ValidationError as error:
        found = list(findings(error))
        sections = dict(_sound(value, {finding.path[0] for finding in found}, context))
    for name, read_off in (("data", files_are_images), ("evals", datasets_are_images)):
        if name in sections and (unreadable := list(read_off(sections[name]))):
            found += unreadable
            del sections[name]  # what else there is to say of it needs its files
    for check in CHECKS:
        if (needs := _needs(check)) <= sections.keys():
            found += check(**{name: sections[name] for name in needs})
    wrong = {finding.path[0] for finding in found}
    if (needs := _needs(resolve)) <= sections.keys() - wrong:
        resolved = resolve(**{name: sections[name] for name in needs})
        found += resolved.findings
        if "fits" in sections.keys() - wrong:
            found += hold_outs_leave_some(sections["fits"], resolved.cells)
        return document, resolved, found
    return None, Resolved((), 0, ()), found


def _needs(check: Callable[..., object]) -> set[str]:
    """Return the sections that a check reads, which are the names of its parameters."""
    return set(inspect.signature(check).parameters)


def _sound(value: dict[str, Any], wrong: set[str | int], context: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the sections of an invalid document that are valid by themselves."""
    for name, info in Document.model_fields.items():
        if name not in wrong:
            section: TypeAdapter[Any] = TypeAdapter(info.annotation or object)
            yield name, section.validate_python(value[name], context=context) if name in value else info.default


def _places(document: Document, path: Path) -> Iterator[Finding]:
    """Yield the paths that lead nowhere, or to the wrong kind of thing."""
    remote = _is_remote(document.artifacts)
    if remote and find_spec("gcsfs") is None:
        yield Finding(("artifacts",), "gs:// needs the package gcsfs", "run pip install 'scalectl[gcs]'")
    for key, typed in (("store", document.store), *(() if remote else [("artifacts", document.artifacts)])):
        try:
            there = _from(path, typed)
            if there.is_dir() if key == "store" else there.is_file():
                kind, remedy = ("folder", "a file") if key == "store" else ("file", "a folder")
                yield Finding((key,), f"{typed!r} is a {kind}", f"give the path of {remedy}")
        except (OSError, RuntimeError) as error:  # RuntimeError: no such user, a loop of links
            yield Finding((key,), f"{shown(typed)}: {getattr(error, 'strerror', None) or error}")


def _from(path: Path, typed: str) -> Path:
    """Return the absolute path that was typed in the file at `path`, where relative ones start from its folder."""
    return (path.absolute().parent / Path(typed).expanduser()).resolve()


def _is_remote(typed: str) -> bool:
    return "://" in typed


def _experiment(
    path: Path, text: str, document: Document, resolved: Resolved, warnings: tuple[Problem, ...]
) -> Experiment:
    side = known(document.data).image_size
    return Experiment(
        name=document.name,
        path=str(path.absolute()),
        document=text,
        store=str(_from(path, document.store)),
        artifacts=document.artifacts if _is_remote(document.artifacts) else str(_from(path, document.artifacts)),
        cells=resolved.cells,
        skipped=resolved.skipped,
        evals=evaluations(document.evals, side, datasets(document.evals, side)),
        limits=document.limits,
        fits=document.fits,
        checkpoint_every=document.train.checkpoint_every,
        resources=document.resources,
        warnings=warnings,
    )
