"""A bundle taken in on another machine. A zip comes from others: names, kinds, sizes and its store are checked."""

import json
import os
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scalectl.orchestrator.errors import NotFound, Refusal
from scalectl.orchestrator.export.home import Home, InvalidBundle, home_of, is_inside
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
from scalectl.orchestrator.format import file_name, size
from scalectl.orchestrator.store.database import check, writing
from scalectl.orchestrator.store.moved import forget, move, relaunched
from scalectl.trainer.data.storage import remote

MAX_MEMBERS = 200_000
MAX_BYTES = 1 << 40  # unpacked, of all members
MAX_TEXT = 1 << 24  # of the YAML and the manifest
MAX_RATIO = 200  # of a member's bytes to those in the zip, of all that has more than MAX_TEXT
_PART = 1 << 20  # bytes read at a time
_FILES, _FOLDERS = (MANIFEST, YAML, STORE, PAGE, ENVIRONMENT), (PLOTS, CHECKPOINTS)


@dataclass(frozen=True)
class Unbundled:
    """The study of a bundle, and where it lies now; `notify` is what its launches call, if anything."""

    study: str
    file: Path
    store: Path
    notify: str


def unbundle(file: Path, folder: Path) -> Unbundled:
    """Unpack a bundle: its YAML to `folder`, its store and checkpoints to where the YAML says.

    A file of `folder` that says the same as the YAML stays in its place. Nothing that is there is overwritten, and
    nothing is written before all of the bundle was checked. Raises NotFound, InvalidBundle, Refusal, and what reading
    the YAML raises.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _unbundled(archive, file, folder)
    except FileNotFoundError:
        raise NotFound(f"{file}: there is no such file.") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise InvalidBundle(f"{file} is no bundle, or is damaged: {error}.") from error
    except OSError as error:
        raise Refusal(f"{error.filename or file}: {error.strerror or error}.") from error


def _unbundled(archive: zipfile.ZipFile, file: Path, folder: Path) -> Unbundled:
    members = _checked(archive, file)
    said = _manifest(archive, file)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as temporary:
        unpacked = Path(temporary)
        for member in members:
            _unpack(archive, member, unpacked / member.filename)
        home = home_of(unpacked / YAML, folder)
        check(unpacked / STORE)
        yaml = _own(unpacked / YAML, folder)
        places = _places(unpacked, folder, home)
        if yaml is None:
            yaml = folder / YAML
            places.append((unpacked / YAML, yaml))  # last: with it the study is there
        for _, after in places:
            _refuse_place(after, folder)
        came = said.get("checkpoints") is True
        _at_home(unpacked / STORE, str(said["artifacts"]), home, yaml, checkpoints=came)
        for before, after in places:
            after.parent.mkdir(parents=True, exist_ok=True)
            before.rename(after)
    return Unbundled(home.study, yaml, home.store, home.notify)


def _own(unpacked: Path, folder: Path) -> Path | None:
    """The file of the folder that says what the YAML of a bundle says, as in a repository that has both; or None."""
    said = unpacked.read_bytes()
    files = (file for file in sorted(folder.glob("*.y*ml")) if file.is_file() and not file.is_symlink())
    return next((file for file in files if file.stat().st_size == len(said) and file.read_bytes() == said), None)


def _checked(archive: zipfile.ZipFile, file: Path) -> list[zipfile.ZipInfo]:
    """The members of a zip in its order, each plain file with a name that stays in the folder; raises InvalidBundle."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_BYTES:
        raise InvalidBundle(f"{file} has more than {MAX_MEMBERS:,} members, or unpacks to more than {size(MAX_BYTES)}.")
    names = [member.filename for member in members]
    if len({name.lower() for name in names}) < len(names):
        raise InvalidBundle(f"{file} has two members of one name.")
    for member in members:
        if problem := _problem(member):
            raise InvalidBundle(f"{file} has the member {member.filename!r}, which {problem}. Nothing was imported.")
    for name in (MANIFEST, YAML, STORE):
        if name not in names:
            raise InvalidBundle(f"{file} is no bundle of scalectl: it has no {name}.")
    return members


def _problem(member: zipfile.ZipInfo) -> str:
    """Why a member can't be unpacked; nothing where it can."""
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.split("/")
    if not all(map(is_plain, parts)):
        return "names no file of the folder"
    if parts[0] not in (_FOLDERS if len(parts) > 1 else _FILES):
        return "no bundle has"
    if kind not in (0, stat.S_IFREG):
        return "is no plain file"
    if member.file_size > MAX_TEXT and (
        name in (MANIFEST, YAML) or member.file_size > MAX_RATIO * max(1, member.compress_size)
    ):
        return "unpacks to far too much"
    return ""


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        with archive.open(MANIFEST) as source:
            said = json.loads(source.read(MAX_TEXT))
    except ValueError as error:
        raise InvalidBundle(f"{file}: {MANIFEST} can't be read: {error}.") from error
    if not isinstance(said, dict) or not isinstance(said.get("artifacts"), str):
        raise InvalidBundle(f"{file}: {MANIFEST} is not as scalectl writes it.")
    if said.get("layout") != LAYOUT:
        raise InvalidBundle(f"{file} is a bundle of layout {said.get('layout')}; this scalectl knows {LAYOUT}.")
    return said


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write a member to a new file, and no more bytes than it said that it has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if member.filename == STORE else 0o666)
    with archive.open(member) as source, os.fdopen(number, "wb") as file:
        _copy(source, file, member.file_size)


def _copy(source: IO[bytes], file: IO[bytes], most: int) -> None:
    written = 0
    while part := source.read(_PART):
        written += len(part)
        if written > most:
            raise InvalidBundle("a member of the bundle is larger than it says. Nothing was imported.")
        file.write(part)


def _at_home(store: Path, before: str, home: Home, yaml: Path, *, checkpoints: bool) -> None:
    """Give the paths of a store their new places, and forget the checkpoints that didn't come along."""
    engine = writing(store)
    try:
        with engine.begin() as connection:
            relaunched(connection, home.study, str(yaml.absolute()))
            if not remote(before):
                if not checkpoints:
                    forget(connection, before)
                move(connection, before, home.artifacts)
        with engine.connect() as connection:  # so that the file is whole without its log
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()


def _places(unpacked: Path, folder: Path, home: Home) -> list[tuple[Path, Path]]:
    """What was unpacked and where it goes, all but the YAML."""
    places = [(unpacked / STORE, home.store)]
    if (unpacked / CHECKPOINTS).exists():
        places.append((unpacked / CHECKPOINTS, Path(home.artifacts)))
    if (unpacked / PLOTS).exists():
        places.append((unpacked / PLOTS, home.store.parent / PLOTS / file_name(home.study)))
    places += [(unpacked / name, folder / name) for name in (PAGE, ENVIRONMENT) if (unpacked / name).exists()]
    return places


def _refuse_place(place: Path, folder: Path) -> None:
    """Raise Refusal where a place is taken, and InvalidBundle where it lies outside of the folder."""
    if not is_inside(place, folder):
        raise InvalidBundle(f"the YAML of the bundle has {place}, outside of {folder}. Nothing was imported.")
    if place.exists() or place.is_symlink():
        raise Refusal(f"refused: {place} is there already. Go to another folder.")
