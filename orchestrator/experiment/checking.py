"""Every mistake of a document at once: of single keys, of keys together, of files, of the grid, and of paths."""

import inspect
from collections.abc import Callable, Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment import sound
from scalectl.orchestrator.experiment.checks import CHECKS, hold_outs_leave_some
from scalectl.orchestrator.experiment.checks_files import FILES
from scalectl.orchestrator.experiment.checks_places import batches_are_shared
from scalectl.orchestrator.experiment.explained import of_pydantic, wrong_paths
from scalectl.orchestrator.experiment.grid import Resolved, resolve
from scalectl.orchestrator.experiment.paths import NoPath, absolute
from scalectl.orchestrator.experiment.rules import Unsound
from scalectl.orchestrator.experiment.schema import Document
from scalectl.orchestrator.experiment.values import shown
from scalectl.trainer.data.storage import remote

_NONE = Resolved((), 0, ())


def checked(value: dict[str, Any], path: Path) -> tuple[Document, Resolved, list[Finding]]:
    """The document of the file at `path`, its grid, and what is wrong with them.

    Whatever is right of it is checked further: a document with errors lacks the keys that are wrong.
    """
    context = {"folder": path.absolute().parent}
    findings: list[Finding] = []
    try:
        document = Document.model_validate(value, context=context)
    except ValidationError as error:
        findings += of_pydantic(error)
        document = sound.document(value, wrong_paths(error), context)
    files = [finding for check in FILES for finding in _found(check, document)]
    # all other checks of these sections need their files
    unreadable = {finding.path[0] for finding in files if finding.severity == "error"}
    checks = [check for check in CHECKS if not unreadable.intersection(_needs(check))]
    findings += files + [finding for check in checks for finding in _found(check, document)]
    resolved = _resolved(document, [finding.path for finding in findings if finding.severity == "error"])
    return document, resolved, [*findings, *resolved.findings, *_misplaced(document, path)]


def _needs(check: Callable[..., object]) -> set[str]:
    """The sections that a check reads, which are the names of its parameters."""
    return set(inspect.signature(check).parameters)


def _found(check: Callable[..., Iterator[Finding]], document: Document) -> Iterator[Finding]:
    """Yield what a check says of a document, up to the first key that is wrong."""
    try:
        yield from check(**{name: getattr(document, name) for name in _needs(check)})
    except Unsound:
        return


def _resolved(document: Document, wrong: Collection[KeyPath]) -> Resolved:
    """The grid of a document; of one that is wrong at these paths only what its budgets lack for all that is right."""
    try:
        sections = {name: getattr(document, name) for name in _needs(resolve)}
        spoilt = [path for path in wrong if path[0] in sections]
        if spoilt:
            return _budgets(sections, spoilt)
        resolved = resolve(**sections)
        of_cells: list[Finding] = []
        if not any(path[0] == "fits" for path in wrong):
            of_cells += hold_outs_leave_some(document.fits, resolved.cells)
        if not any(path[0] == "resources" for path in wrong):
            of_cells += batches_are_shared(document.resources, resolved.cells)
    except Unsound:
        return _NONE
    return Resolved(resolved.cells, resolved.skipped, (*resolved.findings, *of_cells))


def _budgets(sections: dict[str, Any], wrong: Collection[KeyPath]) -> Resolved:
    """What is wrong with the budgets of the models and data sizes that are right, where nothing else is wrong."""
    names = {path[1] for path in wrong if path[0] == "models" and len(path) > 1}
    places = {path[2] for path in wrong if path[:2] == ("data", "sizes") and len(path) > 2}
    models = {name: model for name, model in sections["models"].items() if name not in names}
    sizes = tuple(size for i, size in enumerate(sections["data"].sizes) if i not in places)
    others = [path for path in wrong if path[1:2] not in {(name,) for name in names} and path[:2] != ("data", "sizes")]
    if others or not models or not sizes:
        return _NONE
    data = sections["data"].model_copy(update={"sizes": sizes})
    findings = resolve(**{**sections, "models": models, "data": data}).findings
    return Resolved((), 0, tuple(finding for finding in findings if finding.path[0] == "budgets"))


def _misplaced(document: Document, path: Path) -> Iterator[Finding]:
    """Yield the paths that lead nowhere, or to the wrong kind of thing."""

    def store(store: str) -> Iterator[Finding]:
        yield from _wrong_kind("store", store, path, _no_file, "give the path of a file")

    def artifacts(artifacts: str) -> Iterator[Finding]:
        if not remote(artifacts):
            yield from _wrong_kind("artifacts", artifacts, path, _no_folder, "give the path of a folder")
        elif find_spec("gcsfs") is None:
            yield Finding(("artifacts",), "gs:// needs the package gcsfs", "run pip install 'scalectl[gcs]'")

    def apart(store: str, artifacts: str) -> Iterator[Finding]:
        file = in_folder_of(path, store)
        if not remote(artifacts) and file in ((folder := in_folder_of(path, artifacts)), *folder.parents):
            yield Finding(("artifacts",), f"{artifacts!r} is where the store is", "give the path of another folder")

    for check in (store, artifacts):
        yield from (wrong := list(_found(check, document)))
        if wrong:
            return
    yield from _found(apart, document)


def _no_file(place: Path) -> str:
    """What is at a path where a file should be, or lies in a folder; or nothing."""
    if place.is_dir():
        return "is a folder"
    if place.exists() and not place.is_file():
        return "is not a plain file"
    return _in_no_folder(place)


def _no_folder(place: Path) -> str:
    """What is at a path where a folder should be; or nothing."""
    if place.is_file():
        return "is a file"
    if place.exists() and not place.is_dir():
        return "is not a folder"
    return _in_no_folder(place)


def _in_no_folder(place: Path) -> str:
    above = next(folder for folder in place.parents if folder.exists())
    return "" if above.is_dir() else f"is not possible: {above} is not a folder"


def _wrong_kind(key: str, typed: str, path: Path, wrong: Callable[[Path], str], hint: str) -> Iterator[Finding]:
    try:
        if message := wrong(in_folder_of(path, typed)):
            yield Finding((key,), f"{typed!r} {message}", hint)
    except (OSError, RuntimeError, NoPath) as error:  # RuntimeError: a loop of links
        yield Finding((key,), f"{shown(typed)}: {getattr(error, 'strerror', None) or error}")


def in_folder_of(path: Path, typed: str) -> Path:
    """The absolute path that was typed in the file at `path`, where relative ones start from its folder."""
    return absolute(typed, path.parent).resolve()
