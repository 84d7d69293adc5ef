"""The memory of a command and of all that it starts, asked once a second.

It is PSS, in which a page that several processes share counts once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MARK = "BENCHMARK_MEMORY"  # a variable by which processes are known that are nobody's children, such as Ray's


class Watch:
    """The MiB of each process when all had most together."""

    def __init__(self, mark: str) -> None:
        self._mark, self._known = f"{MARK}={mark}".encode(), frozenset[psutil.Process]()
        self.peak: dict[str, float] = {}

    def look(self) -> None:
        self._known = self._found()
        sizes = {}
        for process in self._known:
            with suppress(psutil.Error, OSError):
                sizes[f"{_name(process)} {process.pid}"] = _mib(process.pid)
        if sum(sizes.values()) > sum(self.peak.values()):
            self.peak = sizes

    def _found(self) -> frozenset[psutil.Process]:
        """The processes with the mark, and theirs; one that gave itself a name may have written over its mark."""
        parents = {process: process.info["ppid"] for process in psutil.process_iter(["ppid"])}
        found = {process for process in parents if process in self._known or self._is_marked(process)}
        while more := {process for process in parents.keys() - found if parents[process] in {one.pid for one in found}}:
            found |= more
        return frozenset(found)

    def _is_marked(self, process: psutil.Process) -> bool:
        with suppress(OSError):
            return self._mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        return False


@contextmanager
def watched(mark: str, seconds: float = 1.0) -> Iterator[Watch]:
    """Look at the processes that have MARK=`mark` in their environment, and at theirs, every so many seconds."""
    watch, done = Watch(mark), threading.Event()

    def looking() -> None:
        while not done.wait(seconds):
            watch.look()

    thread = threading.Thread(target=looking)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def _mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _name(process: psutil.Process) -> str:
    """What a process is in a few letters: Ray's name for it, its script, or its program."""
    words = process.cmdline()
    if words and words[0].startswith("ray::"):
        return words[0].strip()
    scripts = [Path(word).name for word in words[1:] if word.endswith((".py", "/scalectl"))]
    return (scripts or [process.name()])[0]
