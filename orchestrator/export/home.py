"""Where the YAML of a bundle has its files: what makes bundles and what takes them in both ask."""

import os
from dataclasses import dataclass
from pathlib import Path

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.checking import in_folder_of
from scalectl.orchestrator.experiment.document import read_document
from scalectl.orchestrator.experiment.schema import Document
from scalectl.orchestrator.export.manifest import YAML
from scalectl.trainer.data.storage import remote


class InvalidBundle(Refusal):
    """A zip file that is no bundle, or that can't be trusted."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Home:
    """Where a YAML file has its store and its artifacts."""

    study: str
    store: Path
    artifacts: str
    notify: str


def home_of(unpacked: Path, folder: Path) -> Home:
    """Where the YAML file will have its files in `folder`; its data need not be on this machine.

    Raises InvalidBundle for one that is no mapping, or whose places are no texts.
    """
    document = read_document(unpacked).value
    if not isinstance(document, dict):
        raise InvalidBundle(f"{YAML} of the bundle is not a mapping of keys to values. Nothing was imported.")
    said = {name: document.get(name, Document.model_fields[name].default) for name in ("name", "store", "artifacts")}
    for name, text in said.items():
        if not isinstance(text, str) or not text:
            raise InvalidBundle(f"{YAML} of the bundle has no text as its {name}. Nothing was imported.")
    artifacts = said["artifacts"]
    if not remote(artifacts):
        artifacts = str(in_folder_of(folder / YAML, artifacts))
    store = in_folder_of(folder / YAML, said["store"])
    return Home(said["name"], store, artifacts, str(document.get("notify") or ""))


def is_inside(place: Path, folder: Path) -> bool:
    """Whether a place lies in a folder, wherever links lead."""
    return Path(os.path.realpath(place.parent)).is_relative_to(os.path.realpath(folder))
