"""What is right of a file that has mistakes, so that its other mistakes are seen at once."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from scalectl.orchestrator.errors import KeyPath
from scalectl.orchestrator.experiment.rules import Section
from scalectl.orchestrator.experiment.schema import Document

Context: TypeAlias = Mapping[str, Any]


def document(value: Mapping[str, Any], wrong: Collection[KeyPath], context: Context) -> Document:
    """The document of a mapping that is wrong at these paths; looking at what is wrong raises Unsound."""
    whole: Document = _section(Document, value, wrong, context)
    return whole


def _section(section: Any, value: Any, wrong: Collection[KeyPath], context: Context) -> Any:
    if not isinstance(value, dict):
        value, wrong = {}, [(name,) for name in section.model_fields]
    inside = {name: [path[1:] for path in wrong if path[:1] == (name,)] for name in section.model_fields}
    given = {}
    for name, info in section.model_fields.items():
        if name in value and () not in inside[name]:
            given[name] = _value(info, value[name], inside[name], context)
    known = {name: part for name, part in given.items() if part is not _NOTHING}
    made = section.model_construct(_fields_set=set(known), **known)
    for name, info in section.model_fields.items():
        if name not in known and (name in value or inside[name] or info.is_required()):
            made.__dict__.pop(name, None)
    return made


_NOTHING = object()


def _value(info: FieldInfo, value: Any, wrong: Collection[KeyPath], context: Context) -> Any:
    """The value of a key, without what is wrong inside it, or nothing where it can't be told apart."""
    if not wrong:
        kind: Any = info.annotation
        for note in info.metadata:
            kind = Annotated[kind, note]
        return TypeAdapter(kind).validate_python(value, context=context)
    return _part(info.annotation, value, wrong, context)


def _part(annotation: Any, value: Any, wrong: Collection[KeyPath], context: Context) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return _section(annotation, value, wrong, context)
    inner = next((part for part in map(_section_in, get_args(annotation)) if part), None)
    if inner is None:
        return _NOTHING
    if isinstance(value, dict) and get_origin(annotation) is dict:
        parts = {name: _item(inner, name, part, wrong, context) for name, part in value.items()}
        wounded = {path[0] for path in wrong}
        return dict(sorted(parts.items(), key=lambda item: item[0] in wounded))  # checks stop at the first that is
    if isinstance(value, tuple):
        return tuple(_item(inner, i, part, wrong, context) for i, part in enumerate(value))
    return _section(inner, value, wrong, context)


def _item(inner: type[Section], place: str | int, value: Any, wrong: Collection[KeyPath], context: Context) -> Any:
    inside = [path[1:] for path in wrong if path[:1] == (place,)]
    if () in inside:
        value = None
    return _section(inner, value, inside, context)


def _section_in(annotation: Any) -> type[Section] | None:
    """The section in an annotation such as `tuple[Point, ...] | None`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((part for part in map(_section_in, get_args(annotation)) if part), None)
