"""What pydantic found, in the words of the person who typed it."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from scalectl.orchestrator.errors import Finding, Path, did_you_mean
from scalectl.orchestrator.experiment.schema import keys
from scalectl.orchestrator.experiment.values import shown


def of_pydantic(error: ValidationError) -> Iterator[Finding]:
    """Yield each error with the path that was typed, what is wrong and how to put it right."""
    for detail in error.errors(include_url=False):
        yield _finding(detail["loc"], detail["type"], detail["input"], detail.get("ctx", {}), detail["msg"])


def _finding(path: Path, kind: str, value: Any, context: dict[str, Any], message: str) -> Finding:
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


def _refused(path: Path, message: str, hint: str, item: int | None) -> Finding:
    """The finding of a value that scalectl's own validators refused, perhaps for the sake of one item of a list."""
    if path[-1:] == ("[key]",):
        return Finding(path[:-1], message, hint, on_key=True)
    if item is not None:
        return Finding((*path, item), message, hint)
    return Finding(path, message, hint)


def _general(path: Path) -> str:
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


def _near(path: Path) -> str:
    """The question that offers a key of the same section, or one of the same name elsewhere; or nothing."""
    section, name = _general(path[:-1]), str(path[-1])
    siblings = [key.rpartition(".")[2] for key in keys() if key.rpartition(".")[0] == section]
    if question := did_you_mean(name, siblings):
        return question
    elsewhere = [key for key in keys() if key.rpartition(".")[2] == name]
    return f"did you mean {elsewhere[0]!r}?" if elsewhere else ""


def _not_a_choice(path: Path, value: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in _choices(keys()[_general(path).removesuffix("[]")].annotation)]
    one_of = "one of " if len(choices) > 1 else ""
    return f"{shown(value)} is not {one_of}{', '.join(choices)}", did_you_mean(str(value), choices)


def _choices(annotation: Any) -> list[Any]:
    """The values of the Literal inside an annotation."""
    parts = get_args(annotation)
    if parts and all(isinstance(part, str | int) for part in parts):
        return list(parts)
    return [choice for part in parts for choice in _choices(part)]
