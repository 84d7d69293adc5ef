"""Who may write to a store: whoever holds the lock beside it, and the store itself."""

import errno
import fcntl
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import command, duration
from scalectl.orchestrator.store.beside import Unusable, opened
from scalectl.orchestrator.store.requests import forget_requests, remove_requests
from scalectl.trainer import flock
from scalectl.trainer.data.storage import remote

_PATIENCE = 0.5  # seconds; a status that looks at the lock holds it for microseconds


class Locked(Refusal):
    """A store that another launcher writes to."""

    exit = Exit.STORE


@dataclass(frozen=True)
class Holder:
    """The process that holds a store; `started` is in Unix seconds."""

    host: str
    pid: int
    started: float
    launches: bool = True  # another command, such as an import, holds it for a moment

    @property
    def since(self) -> datetime:
        """When it started, as the store has times: UTC, without a zone."""
        return datetime.fromtimestamp(self.started, UTC).replace(tzinfo=None)

    def to_json(self) -> dict[str, str | int | float]:
        """Its host, process and start."""
        return {"host": self.host, "pid": self.pid, "started": self.started}

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, started {duration(max(0.0, time.time() - self.started))} ago"


class Lock:
    """The right to write to a store until `release` or the end of the process.

    Whoever doesn't launch says so. Raises Locked, naming the holder and then the remedy: by default how its launch is
    followed and ended.
    """

    def __init__(self, store: Path, remedy: str = "", *, launches: bool = True) -> None:
        self._held, self._path = store, _path(store)
        self._itself = -1  # the store or the folder, open
        self._file = opened(self._path, store, os.O_RDWR | os.O_CREAT)
        deadline = time.monotonic() + _PATIENCE
        while not self._take():
            if time.monotonic() > deadline:
                other = _read(self._file)
                os.close(self._file)
                raise Locked(f"{store} is held by {other or 'another process'}. {remedy or _remedy(store, other)}")
            time.sleep(0.02)
        self.hold_itself()
        mine: dict[str, object] = {"host": socket.gethostname(), "pid": os.getpid(), "started": time.time()}
        if not launches:  # earlier versions know the other keys alone
            mine["launches"] = False
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(mine).encode(), 0)

    def _take(self) -> bool:
        """Whether this process holds the file now; one that its holder removed meanwhile is made anew."""
        if not flock.acquire(self._file):
            return False
        if _is_at(self._path, self._file):
            return True
        os.close(self._file)
        self._file = opened(self._path, self._held, os.O_RDWR | os.O_CREAT)
        return False

    def hold_itself(self) -> None:
        """Hold the store or the folder too, once it is made: whoever removed the lock file doesn't get in then.

        Raises Locked, and lets go, where another process holds it.
        """
        if self._itself >= 0 or not self._held.exists():
            return
        try:
            if self._held.is_dir():
                file = os.open(self._held, os.O_RDONLY)
                free = flock.acquire_folder(file)
            else:
                file = os.open(self._held, os.O_RDWR)
                free = _byte_taken(file)
        except BaseException:
            self.release()
            raise
        if not free:  # the file stays open: closing it would end the locks that SQLite has on it in this process
            self.release()
            raise Locked(f"{self._held} is held by another process, whose lock file is gone. Wait until that ends.")
        self._itself = file

    def remove(self) -> None:
        """Take the file away while it is held; whoever waits for it makes it anew."""
        os.unlink(self._path)  # noqa: PTH108

    def release(self) -> None:
        """Let the next launcher in; the file stays."""
        files = self._itself, self._file
        self._itself = self._file = -1
        for file in files:
            if file >= 0:  # closed twice, its number may be that of another file by then
                os.close(file)


def _remedy(store: Path, other: Holder | None) -> str:
    """How a launch is followed and ended; another command ends by itself."""
    if other is not None and not other.launches:
        return "That is no launch, and ends soon: try again then."
    follow, end = (command(verb, store=store) for verb in ("status --watch", "stop --all"))
    return f"Follow it: {follow}; end it: {end}"


def unwritable(error: OSError, store: Path) -> Unusable:
    """The refusal of a store beside which nothing can be written."""
    hint = "What changes a store has to write beside it; what reads it needn't."
    return Unusable(f"{error.filename or store}: {error.strerror}. {hint}")


@contextmanager
def holding(store: Path, *, launches: bool = True) -> Iterator[Lock]:
    """Hold a store while it is decided whether to write to it; where it isn't made, nothing else is left either.

    Raises Locked, naming the holder, and Unusable where the store's folder can't be written.
    """
    missing = [folder for folder in store.absolute().parents if not folder.exists()]
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(store, launches=launches)
    except OSError as error:
        raise unwritable(error, store) from error
    try:
        forget_requests(store)
        yield lock
    finally:
        if not store.exists():
            remove_requests(store)
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
    """The launcher that holds a store now, or None, also while another command does for a moment.

    Raises Unusable where its lock is no plain file.
    """
    try:
        file = opened(_path(store), store, os.O_RDONLY)
    except OSError:
        return None
    try:
        if flock.acquire(file, shared=True):
            return None
        found = _read(file)
        if found is not None and not found.launches:
            return None
        return found
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


_BYTE = 2**62  # of a store, far beyond its end; SQLite's own locks are on others


def _byte_taken(file: int) -> bool:
    """Whether this process holds a byte of an open store now, until it closes that; True where locks aren't known.

    A lock of an open file, which Linux has, stays when SQLite closes the store. Others would end with that.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)  # struct flock of fcntl(2)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, request)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _read(file: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(file, 4096, 0)))
    except (ValueError, TypeError):  # taken a moment ago, and not signed yet
        return None
