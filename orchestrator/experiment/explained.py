"""What pydantic finds wrong in a document, in the words of the file: what, where, and what to write instead."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment import hints
from scalectl.orchestrator.experiment.schema import keys
from scalectl.orchestrator.experiment.values import shown

_ALIKE, _SLIP = 0.6, 0.8  # how alike a key of a section is: at all, or more than a key of another section that fits


def of_pydantic(error: ValidationError) -> Iterator[Finding]:
    """Yield each error with the path that was typed, what is wrong and how to put it right."""
    for detail in error.errors(include_url=False):
        yield _finding(detail["loc"], detail["type"], detail["input"], detail.get("ctx", {}), detail["msg"])


def wrong_paths(error: ValidationError) -> set[KeyPath]:
    """The paths of what is wrong, and of the keys that unknown ones of their sections were meant for."""
    paths = set()
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        if path[-1:] == ("[key]",):
            path = path[:-1]
        if detail["type"] == "extra_forbidden":
            section, _, name = meant(path).rpartition(".")
            if section == general(path[:-1]):
                path = (*path[:-1], name)
        paths.add(path)
    return paths


def _finding(path: KeyPath, kind: str, value: Any, context: dict[str, Any], message: str) -> Finding:
    if kind == "refusal":
        return _refused(path, context["message"], context["hint"], context["item"])
    if kind == "missing":
        known = keys().get(general(path))
        return Finding(path, "missing", (known and known.description) or "", on_key=True)
    if kind == "extra_forbidden":
        return Finding(path, f"unknown key {path[-1]!r}", _near(path), on_key=True)
    if kind == "literal_error":
        return Finding(path, *_not_a_choice(path, value))
    if kind in ("model_type", "dict_type"):
        return Finding(path, f"{shown(value)} is not a mapping", hints.mapping(path, value))
    if kind == "tuple_type":
        return Finding(path, f"{shown(value)} is not a list", hints.listed(path, value))
    return Finding(path, message)


def _refused(path: KeyPath, message: str, hint: str, item: int | None) -> Finding:
    """The finding of a value that scalectl's own validators refused, perhaps for the sake of one item of a list."""
    if path[-1:] == ("[key]",):
        return Finding(path[:-1], message, hint, on_key=True)
    if item is not None:
        return Finding((*path, item), message, hint)
    return Finding(path, message, hint)


def general(path: KeyPath) -> str:
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


def _siblings(section: str) -> list[str]:
    """The names of the keys of a section."""
    return [key.rpartition(".")[2] for key in keys() if key.rpartition(".")[0] == section]


def meant(path: KeyPath) -> str:
    """The key that an unknown one at a path was meant for: of its section, or of another; or nothing."""
    section, name = general(path[:-1]), str(path[-1])
    key = hints.elsewhere(section, name)
    if key and key.rpartition(".")[2] in _siblings(section):
        return f"{section}.{key.rpartition('.')[2]}".removeprefix(".")
    same = key or next((key for key in keys() if key.rpartition(".")[2] == name), "")
    for near in get_close_matches(name, _siblings(section), n=1, cutoff=_SLIP if same else _ALIKE):
        return f"{section}.{near}".removeprefix(".")
    return same


def _near(path: KeyPath) -> str:
    """The question that offers the key that was meant, or what the section has."""
    section = general(path[:-1])
    if key := meant(path):
        return hints.question(section, key)
    return f"it has {', '.join(_siblings(section))}"


def _not_a_choice(path: KeyPath, value: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in _choices(keys()[general(path).removesuffix("[]")].annotation)]
    one_of = "one of " if len(choices) > 1 else ""
    return f"{shown(value)} is not {one_of}{', '.join(choices)}", hints.choice(path, value, choices)


def _choices(annotation: Any) -> list[Any]:
    """The values of the Literal inside an annotation."""
    parts = get_args(annotation)
    if parts and all(isinstance(part, str | int) for part in parts):
        return list(parts)
    return [choice for part in parts for choice in _choices(part)]
