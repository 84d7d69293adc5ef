"""The keys of experiments.yaml as a list and as a JSON Schema."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from scalectl.orchestrator.experiment.rules import Section
from scalectl.orchestrator.experiment.schema import Document


@cache
def keys() -> dict[str, FieldInfo]:
    """Return every key by its path; NAME stands for a name that the user gives and [] for the items of a list."""
    return dict(_keys(Document, ""))


def _keys(section: type[Section], above: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in section.model_fields.items():
        yield above + name, info
        for inner, step in _sections(info.annotation, ""):
            yield from _keys(inner, f"{above}{name}{step}.")


def _sections(annotation: Any, step: str) -> Iterator[tuple[type[Section], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, step
    origin = get_origin(annotation)
    items = ".NAME" if origin is dict else "[]" if origin is tuple else ""
    for part in get_args(annotation):
        yield from _sections(part, step + items)


def schema_json() -> dict[str, Any]:
    """Return the JSON Schema of experiments.yaml, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
