"""The folders of embedded Ray clusters: one for each launch, which only its user can look into, and no longer than it.

Ray itself gives its folders to everybody. So they lie below one that is this user's alone.
"""

import itertools
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from scalectl.orchestrator.errors import Refusal
from scalectl.trainer import flock

_TMP = "/tmp"  # noqa: S108 - what lies in it is checked
_LONGEST = 103 - len("/99/r/session_2026-11-28_17-59-51_184663_4194304/sockets/plasma_store")  # bytes; of macOS
_END_SECONDS = 10.0  # that a killed process may take to be gone
_REMEDY = "Set TMPDIR to a short folder of your own, or train with --here."


class Session:
    """A folder for one cluster, held until it is removed or this process ends; sessions whose launch is gone are swept.

    Raises Refusal where this user can't have one.
    """

    def __init__(self) -> None:
        with _base() as base:
            _sweep(base)
            used = {folder.name for folder in base.iterdir()}
            self._folder = base / next(str(number) for number in itertools.count() if str(number) not in used)
            self._folder.mkdir(mode=0o700)
            self._held = _held(self._folder)
        self.folder = self._folder / "r"  # for Ray, which opens it to everybody
        self.pipe = self._folder / "alive"  # whose end comes when this process ends, however it does
        os.mkfifo(self.pipe, 0o600)
        reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)  # without one no writer is let in
        self._writer = os.open(self.pipe, os.O_WRONLY)
        os.close(reader)

    def close_to_others(self) -> None:
        """Take away from others what Ray has given them of its folders."""
        for folder in (self.folder, *self.folder.rglob("*")):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o700)

    def remove(self) -> None:
        """End the processes of the cluster, and remove its folder."""
        end_processes(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        for file in {self._held, self._writer} - {-1}:
            os.close(file)
        self._held = self._writer = -1


def sweep() -> None:
    """End what is left of clusters whose launch is gone: its workers would train on for a minute.

    Where this user can't have a session there is none, and a launch without Ray needs none.
    """
    if _place().exists():
        with suppress(Refusal), _base() as base:
            _sweep(base)


def end_processes(folder: Path) -> None:
    """Kill the processes of the cluster in a folder, and wait until they are gone.

    What a raylet that was killed has started finds that out late, or, while a job runs, not at all.
    """
    processes = _processes(folder)
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + _END_SECONDS
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    """Whether a process can still do something; a container may have nobody to reap what has ended."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _sweep(base: Path) -> None:
    for folder in base.iterdir():
        held = _held(folder)
        if held >= 0:
            end_processes(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


@contextmanager
def _base() -> Iterator[Path]:
    """Yield the folder of all sessions of this user, made when there is none, while no other launch is in here."""
    base = _place()
    try:
        with suppress(FileExistsError):
            base.mkdir(mode=0o700)
        file = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise Refusal(f"refused: the folder of Ray's sessions, {base}: {error.strerror}. {_REMEDY}") from error
    try:
        status = os.fstat(file)
        if status.st_uid != os.geteuid():
            raise Refusal(f"refused: the folder of Ray's sessions, {base}, belongs to user {status.st_uid}. {_REMEDY}")
        if open_to_all := [str(folder) for folder in base.parents if _is_open_to_all(folder)]:
            raise Refusal(f"refused: anybody may replace the folders in {open_to_all[0]}. {_REMEDY}")
        os.fchmod(file, 0o700)
        flock.acquire(file, blocking=True)
        yield base
    finally:
        os.close(file)


def _place() -> Path:
    """Where the sessions of this user are: beside those of Ray, or in /tmp where sockets would have too long names."""
    above = os.environ.get("RAY_TMPDIR") or _TMP
    if sys.platform == "linux" and "RAY_TMPDIR" not in os.environ:  # elsewhere its names are always too long
        above = os.environ.get("TMPDIR") or _TMP
    place = Path(above).resolve() / f"scalectl-{os.geteuid()}"
    if len(os.fsencode(place)) > _LONGEST:
        place = Path(_TMP).resolve() / place.name
    return place


def _is_open_to_all(folder: Path) -> bool:
    """Whether anybody may rename what others have in a folder."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _held(folder: Path) -> int:
    """The number of a session's folder, held by this process, or -1 where another one holds it."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # it is gone
        return -1
    with suppress(OSError):  # of a file system without locks
        if flock.acquire(file):
            return file
    os.close(file)
    return -1


def _processes(folder: Path) -> list[psutil.Process]:
    """The other processes of the cluster in a folder: they write their logs to it, or have it as an argument."""
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid == os.getpid() or process.uids().effective != os.geteuid():
                continue
            files = process.open_files()
            written = [file.path for file in files if getattr(file, "mode", "w") != "r"]  # macOS tells no mode
            named = [argument.removeprefix("--session-dir=") for argument in process.cmdline()]
            if any(path.startswith(f"{folder}/") for path in (*written, *named)):
                processes.append(process)
    return processes
