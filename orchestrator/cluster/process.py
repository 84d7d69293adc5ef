"""The process of a worker: its cores, its heap, and the last words of one that died."""

import os
from collections.abc import Sequence
from pathlib import Path

BINDS = hasattr(os, "sched_setaffinity")


def usable() -> list[int]:
    """The numbers of the cores that this process may use."""
    if BINDS:
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def bind(cores: Sequence[int]) -> None:
    """Keep this process and the threads that it starts from now on to these cores, where the system can."""
    if BINDS:
        os.sched_setaffinity(0, cores)


# Of glibc's mallopt(3): one heap for all threads, no mappings beside it, and nothing handed back on its own; of its
# tunables, after which those of the user come, pages of 2 MiB where the kernel gives them to who asks. It has to be
# there when a process starts, before its threads have heaps; other C libraries don't know these names.
ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "GLIBC_TUNABLES": ":".join(filter(None, ["glibc.malloc.hugetlb=1", os.environ.get("GLIBC_TUNABLES")])),
}


LINES = 40
WIDTH = 300  # of a line; Python ends the stack of a crash with the names of all extension modules
_BYTES = LINES * WIDTH
_MARKS = (":job_id:", ":actor_name:", ":task_name:")  # of Ray, by which it knows whose lines these are


def stderr_file() -> str:
    """The file that this process writes its stderr to; empty where it is none, or the system can't tell."""
    path = Path(os.path.realpath("/proc/self/fd/2"))
    if not path.is_file():
        return ""
    return str(path)


def last_words(file: str) -> str:
    """The last lines of a worker's stderr; empty where that file doesn't exist."""
    try:
        with Path(file).open("rb") as text:
            text.seek(max(0, Path(file).stat().st_size - _BYTES))
            lines = text.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    kept = [line[:WIDTH].rstrip() for line in lines if not line.startswith(_MARKS)]
    return "\n".join(kept[-LINES:]).strip()
