"""experiments.yaml to a checked Experiment: every problem at once, each with its place; nothing is run or written."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from scalectl.orchestrator.errors import Finding, InvalidExperiment, KeyPath, Problem, Spot, did_you_mean
from scalectl.orchestrator.experiment.checks import CHECKS, hold_outs_leave_some
from scalectl.orchestrator.experiment.checks_data import datasets_are_images, files_are_images
from scalectl.orchestrator.experiment.document import Located, load, read_document, read_text
from scalectl.orchestrator.experiment.grid import Cell, Resolved, resolve
from scalectl.orchestrator.experiment.resources import Limits, Resources
from scalectl.orchestrator.experiment.schema import Document, Fit, keys
from scalectl.orchestrator.experiment.specs import datasets, evaluations, known
from scalectl.orchestrator.experiment.values import shown
from scalectl.orchestrator.format import file_name
from scalectl.trainer.spec import EvalSpec


def of_pydantic(error: ValidationError) -> Iterator[Finding]:
    """Yield each error with the path that was typed, what is wrong and how to put it right."""
    for detail in error.errors(include_url=False):
        yield _finding(detail["loc"], detail["type"], detail["input"], detail.get("ctx", {}), detail["msg"])


def _finding(path: KeyPath, kind: str, value: Any, context: dict[str, Any], message: str) -> Finding:
    if kind == "refusal":
        return _refused(path, context["message"], context["hint"], context["item"])
    if kind == "missing":
        known = keys().get(_general(path))
        return Finding(path, "missing", (known and known.description) or "", on_key=True)
    if kind == "extra_forbidden":
        return Finding(path, f"unknown key {path[-1]!r}", _near(path), on_key=True)
    if kind == "literal_error":
        return Finding(path, *_not_a_choice(path, value))
    if kind in ("model_type", "dict_type"):
        return Finding(path, f"{shown(value)} is not a mapping", "write keys and values: {key: value}")
    if kind == "tuple_type":
        hint = ""
        if isinstance(value, str | int | float):
            hint = f"write [{value}]"
        return Finding(path, f"{shown(value)} is not a list", hint)
    return Finding(path, message)


def _refused(path: KeyPath, message: str, hint: str, item: int | None) -> Finding:
    """The finding of a value that scalectl's own validators refused, perhaps for the sake of one item of a list."""
    if path[-1:] == ("[key]",):
        return Finding(path[:-1], message, hint, on_key=True)
    if item is not None:
        return Finding((*path, item), message, hint)
    return Finding(path, message, hint)


def _general(path: KeyPath) -> str:
    """The path as `keys` lists it: names that the user gave are NAME, places in a list are []."""
    general = ""
    for part in path:
        if isinstance(part, int):
            general = f"{general[:-1]}[]."
        elif general in ("models.", "fits.", "evals.datasets."):
            general = f"{general}NAME."
        else:
            general = f"{general}{part}."
    return general[:-1]


def _near(path: KeyPath) -> str:
    """The question that offers a key of the same section, or one of the same name elsewhere; or nothing."""
    section, name = _general(path[:-1]), str(path[-1])
    siblings = [key.rpartition(".")[2] for key in keys() if key.rpartition(".")[0] == section]
    if question := did_you_mean(name, siblings):
        return question
    elsewhere = [key for key in keys() if key.rpartition(".")[2] == name]
    return f"did you mean {elsewhere[0]!r}?" if elsewhere else ""


def _not_a_choice(path: KeyPath, value: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in _choices(keys()[_general(path).removesuffix("[]")].annotation)]
    one_of = "one of " if len(choices) > 1 else ""
    return f"{shown(value)} is not {one_of}{', '.join(choices)}", did_you_mean(str(value), choices)


def _choices(annotation: Any) -> list[Any]:
    """The values of the Literal inside an annotation."""
    parts = get_args(annotation)
    if parts and all(isinstance(part, str | int) for part in parts):
        return list(parts)
    return [choice for part in parts for choice in _choices(part)]


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
    text = json.dumps(located.value) if "extends" in located.value else read_text(path)
    for key, value in overrides:
        _override(located, key, value)
    document, resolved, findings = _checked(located.value, {"folder": path.absolute().parent})
    if document is not None:
        findings += _misplaced(document, path)
    problems = sorted([*located.problems, *map(located.problem, findings)], key=_order)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or document is None:
        raise InvalidExperiment(*errors)
    return _experiment(path, text, document, resolved, tuple(problems))


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


def _checked(value: dict[str, Any], context: dict[str, Any]) -> tuple[Document | None, Resolved, list[Finding]]:
    """The document, its grid, and what is wrong with them; whatever is right so far is checked further."""
    document, findings = None, []
    try:
        document = Document.model_validate(value, context=context)
        sections = {name: getattr(document, name) for name in Document.model_fields}
    except ValidationError as error:
        findings = list(of_pydantic(error))
        sections = dict(_sound(value, {finding.path[0] for finding in findings}, context))
    for name, check_files in (("data", files_are_images), ("evals", datasets_are_images)):
        if name in sections and (unreadable := list(check_files(sections[name]))):
            findings += unreadable
            del sections[name]  # all other checks of it need its files
    for check in CHECKS:
        if (needs := _needs(check)) <= sections.keys():
            findings += check(**{name: sections[name] for name in needs})
    wrong = {finding.path[0] for finding in findings}
    needs = _needs(resolve)
    if not needs <= sections.keys() - wrong:
        return None, Resolved((), 0, ()), findings
    resolved = resolve(**{name: sections[name] for name in needs})
    findings += resolved.findings
    if "fits" in sections.keys() - wrong:
        findings += hold_outs_leave_some(sections["fits"], resolved.cells)
    return document, resolved, findings


def _needs(check: Callable[..., object]) -> set[str]:
    """The sections that a check reads, which are the names of its parameters."""
    return set(inspect.signature(check).parameters)


def _sound(value: dict[str, Any], wrong: set[str | int], context: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the sections of an invalid document that are valid by themselves."""
    for name, info in Document.model_fields.items():
        if name not in wrong:
            section: TypeAdapter[Any] = TypeAdapter(info.annotation or object)
            yield name, section.validate_python(value[name], context=context) if name in value else info.default


def _misplaced(document: Document, path: Path) -> Iterator[Finding]:
    """Yield the paths that lead nowhere, or to the wrong kind of thing."""
    yield from _wrong_kind("store", document.store, path, Path.is_dir, "is a folder", "give the path of a file")
    if not _is_remote(document.artifacts):
        typed = document.artifacts
        yield from _wrong_kind("artifacts", typed, path, Path.is_file, "is a file", "give the path of a folder")
    elif find_spec("gcsfs") is None:
        yield Finding(("artifacts",), "gs:// needs the package gcsfs", "run pip install 'scalectl[gcs]'")


def _wrong_kind(
    key: str, typed: str, path: Path, is_wrong: Callable[[Path], bool], message: str, hint: str
) -> Iterator[Finding]:
    try:
        if is_wrong(_from(path, typed)):
            yield Finding((key,), f"{typed!r} {message}", hint)
    except (OSError, RuntimeError) as error:  # RuntimeError: no such user, a loop of links
        yield Finding((key,), f"{shown(typed)}: {getattr(error, 'strerror', None) or error}")


def _from(path: Path, typed: str) -> Path:
    """The absolute path that was typed in the file at `path`, where relative ones start from its folder."""
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
