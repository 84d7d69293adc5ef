"""The places that experiments.yaml names: sources of images, files, folders and buckets."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from scalectl.orchestrator.experiment import hints
from scalectl.orchestrator.experiment.paths import NoPath, absolute
from scalectl.orchestrator.experiment.values import refusal, shown
from scalectl.trainer import own
from scalectl.trainer.data import registry
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.storage import remote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_COPIED = {
    "gs": "copy it with gcloud storage cp -r",
    "s3": "copy it with aws s3 cp --recursive",
    "http": "download it",
    "https": "download it",
}


def _folder(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise refusal(f"{shown(value)} is not a path")
    if _SCHEME.match(value):
        raise refusal(f"{shown(value)}: not supported yet", "give a path on this machine")
    return value


@dataclass(frozen=True)
class Source:
    """Where images come from: a kind and, for files, where they lie; shown as it was typed."""

    kind: str
    path: str = ""
    typed: str = ""

    def __str__(self) -> str:
        return self.typed or self.kind


def _source(value: Any, info: ValidationInfo) -> Source:
    """The source that was typed; a relative path starts from the folder in the context."""
    kind, colon, place = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon and kind in own.names("source"):
        try:
            registry.source(kind)
        except Unreadable as error:
            raise refusal(str(error)) from None
        return Source(kind)
    match registry.sources().get(kind):
        case registry.Named() as source if colon:
            return Source(kind, _path_of(value, place, source.format()), value)
        case registry.Files() as source if colon:
            path = _place if source.in_buckets else _absolute
            return Source(kind, path(place, info), value)
        case registry.InMemory() | registry.Generated() if not colon:
            return Source(kind)
    folder = Path((info.context or {}).get("folder", "."))
    raise refusal(f"{shown(value)} is not one of {_choices()}", hints.source(value, _names(), folder))


def _path_of(typed: str, name: str, catalogue: registry.Catalogue) -> str:
    try:
        return catalogue.path_of(name)
    except ValueError:
        raise refusal(f"{shown(typed)} names no dataset", catalogue.syntax) from None


def _choices() -> str:
    theirs = [name + _ENDINGS[type(source)] for name, source in registry.sources().items()]
    return ", ".join([*theirs, *own.names("source")])


def _names() -> list[str]:
    return [*registry.sources(), *own.names("source")]


_ENDINGS = {registry.InMemory: "", registry.Generated: "", registry.Files: ":PATH", registry.Named: ":NAME"}


def _absolute(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, str) and (scheme := _SCHEME.match(value)):
        copied = _COPIED.get(scheme[1].lower(), "copy it")
        raise refusal(f"{shown(value)} is not on this machine", f"{copied} or mount it, and give the path here")
    folder = Path((info.context or {}).get("folder", "."))
    try:
        return os.path.normpath(absolute(_folder(value), folder))
    except NoPath as error:
        raise refusal(f"{shown(value)}: {error}") from None


def _place(value: Any, info: ValidationInfo) -> str:
    """An absolute path, or an address in a bucket."""
    if not isinstance(value, str) or not remote(value):
        return _absolute(value, info)
    if not re.fullmatch(r"(gs://(anonymous@)?|s3://)[a-z0-9][a-z0-9._-]+(/[^@\s]+)?", value):
        raise refusal(f"{shown(value)} names no bucket and folder", "write gs://bucket/folder or s3://bucket/folder")
    return value


class _SourceJson:
    """The JSON Schema of a source, for all that are registered when it is written."""

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        files = [name for name, source in registry.sources().items() if isinstance(source, registry.Files)]
        names = [name for name in _names() if name not in files]
        return {"anyOf": [{"enum": names}, {"type": "string", "pattern": f"^({'|'.join(files)}):.+"}]}


Images = Annotated[Source, PlainValidator(_source), _SourceJson()]
Files = Annotated[str, PlainValidator(_place), WithJsonSchema({"type": "string", "minLength": 1})]


def _store(value: Any) -> str:
    if isinstance(value, str) and value.startswith("sqlite:///"):
        value = value.removeprefix("sqlite:///")
    return _folder(value)


def _artifacts(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("gs:/"):
        return _folder(value)
    if not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+(/[^/\s]+)*/?", value):
        raise refusal(f"{shown(value)} names no bucket and folder", "write gs://bucket/folder")
    return value.rstrip("/")


Folder = Annotated[str, PlainValidator(_artifacts), WithJsonSchema({"type": "string", "minLength": 1})]
Store = Annotated[str, PlainValidator(_store), WithJsonSchema({"type": "string", "minLength": 1})]
