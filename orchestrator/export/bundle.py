"""A study as one zip file that goes on elsewhere: store, YAML, figures, page, environment, and checkpoints if asked."""

import json
import os
import platform
import shlex
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import IO

from scalectl.orchestrator.errors import InvalidExperiment, Refusal
from scalectl.orchestrator.experiment.document import read_document, read_text, standing_alone
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.experiment.yaml_text import load
from scalectl.orchestrator.export.home import home_of, is_inside
from scalectl.orchestrator.export.manifest import (
    CHECKPOINTS,
    ENVIRONMENT,
    LAYOUT,
    MANIFEST,
    PAGE,
    PLOTS,
    STORE,
    YAML,
    is_plain,
)
from scalectl.orchestrator.format import file_name
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.database import copy_to, reading
from scalectl.orchestrator.store.moved import artifacts_of, kept_paths
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.runs import Study
from scalectl.trainer.data.storage import remote

ZIP = "bundle.zip"
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip can have: the same files make the same bytes


class NotInBundle(Refusal):
    """A study that can't be bundled as it is."""


@dataclass(frozen=True)
class Bundled:
    """What a bundle has: its members, bytes, why there is no page in it, and the figures that are not; and the places
    of its YAML that no import goes to, or that are to be copied by hand.
    """

    members: tuple[str, ...]
    size: int
    no_page: str
    left_out: tuple[str, ...]
    outside: tuple[str, ...]
    code: tuple[str, ...] = ()  # files of one's own that the YAML names: none is in it, as none runs unseen elsewhere


def bundle(
    file: Path, store: Path, study: str | None = None, *, checkpoints: bool = False, force: bool = False
) -> Bundled:
    """Write the bundle of a study to a file, which takes the place of one that is there with `force`; one that fails
    changes nothing.

    The store is a whole copy as of this moment, also while a launch works. Raises Refusal.
    """
    if (file.exists() or file.is_symlink()) and not (force and file.is_file()):
        raise Refusal(f"refused: {file} is there already. Give another file, or --force to overwrite it.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as folder:
            copy = Path(folder) / STORE
            copy_to(store, copy)
            made = _made(copy, _subject(copy, store, study), checkpoints=checkpoints)
            (Path(folder) / ZIP).replace(file)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror or error}.") from error
    return made


@dataclass(frozen=True)
class _Subject:
    """The study that is bundled: its YAML, the folder of its artifacts, and that of its figures."""

    study: str
    document: str
    artifacts: str
    plots: Path


def _subject(copy: Path, store: Path, name: str | None) -> _Subject:
    study = Store(copy).study(name)
    document = Store(copy).provenance(study.name, study.runs).file
    if not document:
        raise NotInBundle(f"refused: {study.name} was imported from a table, and nothing can go on with it elsewhere.")
    document = _whole(document, store, study, Store(copy).again(study.name))
    with reading(copy) as connection:
        artifacts = artifacts_of(connection, study.name)
    plots = store.parent / PLOTS / file_name(study.name)
    return _Subject(study.name, document, artifacts, plots)


def _whole(document: str, store: Path, study: Study, again: str) -> str:
    """The document of a study; of one that extends a file, as older versions kept it, all that both say.

    The file of the last launch tells that where it still says the same, and what it extends gives runs that the study
    has; raises NotInBundle where it doesn't.
    """
    said = load(document, YAML).value
    if not isinstance(said, dict) or "extends" not in said:
        return document
    file = next((Path(word) for word in shlex.split(again)[2:3]), Path(YAML))
    for path in (file, store.parent / file):
        with suppress(InvalidExperiment):
            if read_text(path) == document and {run.id for run in plan(read(path)).runs} <= study.runs.keys():
                return standing_alone(path, read_document(path))
    raise NotInBundle(
        f"refused: the YAML of {study.name} extends {said['extends']}, and its store is of an earlier version, which"
        f" has not what that says. {again or 'scalectl launch FILE'} writes it down, and runs nothing that is done"
        " again."
    )


def _made(copy: Path, subject: _Subject, *, checkpoints: bool) -> Bundled:
    page = copy.with_name(PAGE)
    members = {STORE: copy}
    no_page = _page(page, copy, subject.study)
    if not no_page:
        members[PAGE] = page
    plots, left_out = _plots(subject.plots)
    members |= plots
    said = {"layout": LAYOUT, "scalectl": version("scalectl"), "study": subject.study}
    texts = {
        MANIFEST: json.dumps(said | {"artifacts": subject.artifacts, "checkpoints": checkpoints}, indent=1) + "\n",
        YAML: subject.document,
        ENVIRONMENT: _environment(),
    }
    whole = copy.with_name(ZIP)
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in texts.items():
            archive.writestr(_info(name), text.encode())
        if checkpoints:
            _forget(copy, list(_add_checkpoints(archive, copy, subject.artifacts)))
        for name, path in sorted(members.items()):
            with path.open("rb") as source:
                _add(archive, name, source)
    outside = _outside(subject.document, copy.parent, checkpoints=checkpoints)
    code = load(subject.document, YAML).value.get("code") or ()
    return Bundled(tuple(archive.namelist()), whole.stat().st_size, no_page, left_out, outside, tuple(map(str, code)))


def _outside(document: str, folder: Path, *, checkpoints: bool) -> tuple[str, ...]:
    """The places that a YAML names for its store and its checkpoints outside of its own folder."""
    yaml = folder / YAML
    yaml.write_text(document, encoding="utf-8")
    home = home_of(yaml, folder)
    places = [home.store]
    if checkpoints:
        places.append(Path(home.artifacts))
    return tuple(str(place) for place in places if not is_inside(place, folder))


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    with archive.open(_info(name), "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target)


def _info(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def _page(file: Path, store: Path, study: str) -> str:
    """Write the page of the study, and say why where there can be none."""
    from scalectl.orchestrator.page.writing import write_page

    said = {"store": STORE}  # as it is called where the bundle is unpacked
    if events := Store(store).status().events:
        said["made"] = events[-1].at  # the same store gives the same page
    try:
        write_page(file, store, study, said=said)
    except Refusal as refusal:
        return str(refusal)
    return ""


def _plots(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The figures that launches drew of the study, and others beside them whose names not every machine can have."""
    files = [path for path in sorted(folder.glob("*")) if path.is_file() and not path.is_symlink()]
    plain: dict[str, Path] = {}
    for path in filter(lambda file: is_plain(file.name), files):
        plain.setdefault(path.name.lower(), path)
    kept = {f"{PLOTS}/{path.name}": path for path in plain.values()}
    return kept, tuple(path.name for path in files if path not in kept.values())


def _add_checkpoints(archive: zipfile.ZipFile, store: Path, artifacts: str) -> Iterator[str]:
    """Add all checkpoints that the store knows inside the artifacts; yield those that a launch has removed meanwhile.

    All files of one are open before the first is written: it comes whole or not at all. A link is left out.
    """
    if remote(artifacts):
        raise NotInBundle(f"refused: the checkpoints are at {artifacts}, not on this disk: leave --checkpoints out.")
    with reading(store) as connection:
        paths = kept_paths(connection, artifacts)
    for path in paths:
        with ExitStack() as opened:
            try:
                files = [(file, opened.enter_context(file.open("rb"))) for file in _files(Path(path))]
            except FileNotFoundError:
                files = []
            if not files:
                yield path
            for file, source in files:
                _add(archive, f"{CHECKPOINTS}/{file.relative_to(artifacts).as_posix()}", source)


def _forget(store: Path, paths: Sequence[str]) -> None:
    """Take checkpoints that are not in the bundle out of its store."""
    if paths:
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.executemany("DELETE FROM checkpoints WHERE path = ?", [(path,) for path in paths])


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        for name in sorted(files):
            if not Path(parent, name).is_symlink():
                yield Path(parent, name)


def _environment() -> str:
    """The Python and the packages with which the bundle was made; the store has those of each attempt."""
    packages = sorted({f"{package.name}=={package.version}" for package in distributions()}, key=str.lower)
    lines = [f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}", *packages]
    return "\n".join(lines) + "\n"
