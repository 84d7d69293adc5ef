"""Who may write to a store: one launcher at a time, by a lock that the kernel drops with its process."""

import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.commands import command
from orchestrator.exits import Exit, Refusal
from orchestrator.quantities import duration

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
    """The right to write to a store until `release` or the end of the process; raises Locked, naming the holder."""

    def __init__(self, store: Path) -> None:
        self._file = os.open(_path(store), os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE
        while not _taken(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                other = _read(self._file) or "another process"
                os.close(self._file)
                follow, end = (command(verb, store=store) for verb in ("status --watch", "stop --all"))
                raise Locked(f"{store} is held by {other}. Follow it: {follow}; end it: {end}")
            time.sleep(0.02)
        mine = Holder(socket.gethostname(), os.getpid(), time.time())
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(asdict(mine)).encode(), 0)

    def release(self) -> None:
        """Let the next launcher in; the file stays, so that no two can hold different files of one name."""
        file, self._file = self._file, -1
        if file >= 0:  # closed twice, its number may be that of another file by then
            os.close(file)


def holder(store: Path) -> Holder | None:
    """Return the launcher that holds a store now, or None."""
    try:
        file = os.open(_path(store), os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _taken(file, fcntl.LOCK_SH) else _read(file)
    finally:
        os.close(file)


def _path(store: Path) -> str:
    return os.path.realpath(store) + ".lock"  # one lock for all names of a store


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
