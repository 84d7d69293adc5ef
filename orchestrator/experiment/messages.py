"""What pydantic found, in the words of the person who typed it."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from scalectl.orchestrator.errors import Finding, Path, did_you_mean
from scalectl.orchestrator.experiment.keys import keys
from scalectl.orchestrator.experiment.values import shown


def findings(error: ValidationError) -> Iterator[Finding]:
    """Yield each error with the path that was typed, what is wrong and how to put it right."""
    for found in error.errors(include_url=False):
        path, kind, typed = found["loc"], found["type"], found["input"]
        context: dict[str, Any] = found.get("ctx", {})
        if kind == "refusal":
            on_key = path[-1:] == ("[key]",)
            at = () if context["at"] is None else (context["at"],)
            yield Finding((*(path[:-1] if on_key else path), *at), context["what"], context["hint"], on_key)
        elif kind == "missing":
            yield Finding(
                path, "missing", known.description or "" if (known := keys().get(_general(path))) else "", True
            )
        elif kind == "extra_forbidden":
            yield Finding(path, f"unknown key {path[-1]!r}", _near(path), on_key=True)
        elif kind == "literal_error":
            yield Finding(path, *_not_a_choice(path, typed))
        elif kind in ("model_type", "dict_type"):
            yield Finding(path, f"{shown(typed)} is not a mapping", "write keys and values: {key: value}")
        elif kind == "tuple_type":
            yield Finding(
                path,
                f"{shown(typed)} is not a list",
                f"write [{typed}]" if isinstance(typed, str | int | float) else "",
            )
        else:
            yield Finding(path, found["msg"])


def _general(path: Path) -> str:
    """Return the path as `keys` lists it: names that the user gave are NAME, places in a list are []."""
    general = ""
    for part in path:
        named = general in ("models.", "fits.", "evals.datasets.")
        general = f"{general[:-1]}[]." if isinstance(part, int) else f"{general}{'NAME' if named else part}."
    return general[:-1]


def _near(path: Path) -> str:
    """Return the question that offers a key of the same section, or one of the same name elsewhere."""
    above, typed = _general(path[:-1]), str(path[-1])
    siblings = [key.rpartition(".")[2] for key in keys() if key.rpartition(".")[0] == above]
    elsewhere = [key for key in keys() if key.rpartition(".")[2] == typed]
    return did_you_mean(typed, siblings) or (f"did you mean {elsewhere[0]!r}?" if elsewhere else "")


def _not_a_choice(path: Path, typed: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in _choices(keys()[_general(path).removesuffix("[]")].annotation)]
    one_of = "one of " if len(choices) > 1 else ""
    return f"{shown(typed)} is not {one_of}{', '.join(choices)}", did_you_mean(str(typed), choices)


def _choices(annotation: Any) -> list[Any]:
    """Return the values of the Literal inside an annotation."""
    parts = get_args(annotation)
    if parts and all(isinstance(part, str | int) for part in parts):
        return list(parts)
    return [choice for part in parts for choice in _choices(part)]
