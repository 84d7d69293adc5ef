"""Who may write to a store, and what is asked of the launch that does, in files beside it."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import command, duration
from scalectl.orchestrator.store.database import Unusable
from scalectl.trainer.data.storage import remote

_PATIENCE = 0.5  # seconds; a status that looks at the lock holds it for microseconds


class Locked(Refusal):
    """A store that another launcher writes to."""

    exit = Exit.STORE


@dataclass(frozen=True)
class Holder:
    """The launcher that holds a store; `started` is in Unix seconds."""

    host: str
    pid: int
    started: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, started {duration(max(0.0, time.time() - self.started))} ago"


class Lock:
    """The right to write to a store until `release` or the end of the process.

    Raises Locked, naming the holder and then the remedy: by default how its launch is followed and ended.
    """

    def __init__(self, store: Path, remedy: str = "") -> None:
        self._path = _path(store)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE
        while not self._take():
            if time.monotonic() > deadline:
                other = _read(self._file) or "another process"
                os.close(self._file)
                follow, end = (command(verb, store=store) for verb in ("status --watch", "stop --all"))
                remedy = remedy or f"Follow it: {follow}; end it: {end}"
                raise Locked(f"{store} is held by {other}. {remedy}")
            time.sleep(0.02)
        mine = Holder(socket.gethostname(), os.getpid(), time.time())
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(asdict(mine)).encode(), 0)

    def _take(self) -> bool:
        """Whether this process holds the file now; one that its holder removed meanwhile is made anew."""
        if not _taken(self._file, fcntl.LOCK_EX):
            return False
        if _is_at(self._path, self._file):
            return True
        os.close(self._file)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        return False

    def remove(self) -> None:
        """Take the file away while it is held; whoever waits for it makes it anew."""
        os.unlink(self._path)  # noqa: PTH108

    def release(self) -> None:
        """Let the next launcher in; the file stays."""
        file, self._file = self._file, -1
        if file >= 0:  # closed twice, its number may be that of another file by then
            os.close(file)


@contextmanager
def holding(store: Path) -> Iterator[Lock]:
    """Hold a store while it is decided whether to write to it; where it isn't made, nothing else is left either.

    Raises Locked, naming the holder, and Unusable where the store's folder can't be written.
    """
    missing = [folder for folder in store.absolute().parents if not folder.exists()]
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(store)
    except OSError as error:
        raise Unusable(f"{error.filename or store}: {error.strerror}.") from error
    try:
        yield lock
    finally:
        if not store.exists():
            lock.remove()
            with suppress(OSError):  # somebody else uses it by now
                for folder in missing:
                    folder.rmdir()
        lock.release()


@contextmanager
def working_in(folder: str) -> Iterator[None]:
    """Hold a folder of artifacts, where launchers of other stores would remove what is being written.

    One in a bucket is held by nobody. Raises Locked, naming the holder, and Refusal where it can't be written.
    """
    if remote(folder):
        yield
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock = Lock(Path(folder), "Give this launch another folder, with --set artifacts=FOLDER, or wait.")
    except OSError as error:
        raise Refusal(f"refused: artifacts {error.filename or folder}: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def holder(store: Path) -> Holder | None:
    """The launcher that holds a store now, or None."""
    try:
        file = os.open(_path(store), os.O_RDONLY)
    except OSError:
        return None
    try:
        if _taken(file, fcntl.LOCK_SH):
            return None
        return _read(file)
    finally:
        os.close(file)


def _path(held: Path) -> str:
    real = os.path.realpath(held)  # one lock for all names of a store or folder
    if Path(real).is_dir():
        return f"{real}/launcher.lock"
    return f"{real}.lock"


def _is_at(path: str, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))  # noqa: PTH116
    except FileNotFoundError:
        return False


def _taken(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(file, 4096, 0)))
    except (ValueError, TypeError):  # taken a moment ago, and not signed yet
        return None


def ask_to_stop(store: Path, runs: Collection[str]) -> None:
    """Ask the launcher of a store to stop runs, by their ids; it looks several times a second."""
    with _requests_held(store) as file:
        os.lseek(file, 0, os.SEEK_END)
        os.write(file, "".join(f"{run}\n" for run in runs).encode())


def asked_to_stop(store: Path) -> frozenset[str]:
    """The runs that were asked for since the last call, which makes the file empty again."""
    if not _requests(store).exists() or not _requests(store).stat().st_size:
        return frozenset()
    with _requests_held(store) as file:
        size = os.fstat(file).st_size
        text = os.pread(file, size, 0).decode(errors="replace")
        os.ftruncate(file, 0)
    return frozenset(text.split())


@contextmanager
def _requests_held(store: Path) -> Iterator[int]:
    """Yield the file, made for this user alone when there is none, while nobody else reads or writes it."""
    file = os.open(_requests(store), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _requests(store: Path) -> Path:
    return Path(os.path.realpath(store) + ".stop")
