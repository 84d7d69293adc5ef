"""What compiling leaves free for the rest of a launch: most of its memory, while it lasts and afterwards.

XLA takes 1.5 MB, an MLIR context, for each fusion that waits to be lowered. On a CPU one thread hands fusions out and
others lower them. Where all share one core, as on a slot, the first runs ahead until hundreds wait: 300 MB, and a fifth
of the time of compiling, for nothing. It is made to give way to the others. No bit of a program depends on that.
JAX 0.12 has the thread that asks for a program hand them out, which trains as well and is left as it is.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

NICER, NICEST = 10, 19  # steps, ten of which are a tenth of the share of the core, and the last there is
LOOK_SECONDS = 0.05
ENOUGH = 20_000_000  # nanoseconds for which a thread has run that works on a program
_TASKS = Path("/proc/self/task")  # of Linux

_nicer = threading.Event()  # the one thread lives as long as the process


@contextmanager
def compiling() -> Iterator[None]:
    """Compile in here: on the one core of a slot fusions wait in small numbers, and what is free goes back after it."""
    if _nicer.is_set() or not _on_one_core():
        yield
    else:
        done = threading.Event()
        looking = threading.Thread(target=_look, args=(_worked(), threading.get_native_id(), done), daemon=True)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()
    give_back()


def give_back() -> None:
    """Hand what is free back to the system, where the C library is glibc."""
    if hasattr(library(), "malloc_trim"):
        library().malloc_trim(0)


@cache
def library() -> Any:
    """The C library of this process."""
    return ctypes.CDLL(None)


def _on_one_core() -> bool:
    return _TASKS.exists() and len(os.sched_getaffinity(0)) == 1


def _look(before: dict[int, int], caller: int, done: threading.Event) -> None:
    """Find the thread that hands fusions out, and have it give way.

    Of XLA's threads that work it is the oldest. It starts the others, which would be as nice if it were so before.
    """
    while not done.wait(LOOK_SECONDS):
        python = {thread.native_id for thread in threading.enumerate()}
        working = [task for task, spent in _worked().items() if spent - before.get(task, 0) >= ENOUGH]
        others = set(working) - python - {caller}  # in a worker a thread of Ray's, which Python may not know
        if len(others) > 1:
            with suppress(OSError):
                task = min(others)
                os.setpriority(os.PRIO_PROCESS, task, min(os.getpriority(os.PRIO_PROCESS, task) + NICER, NICEST))
            _nicer.set()
            return


def _worked() -> dict[int, int]:
    """The nanoseconds that each thread of this process has run."""
    worked = {}
    for task in _TASKS.iterdir():
        with suppress(OSError, ValueError, IndexError):  # a thread that has ended, a kernel that doesn't tell
            worked[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return worked
