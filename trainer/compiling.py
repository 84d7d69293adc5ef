"""What compiling leaves free for the rest of a launch: most of its memory, while it lasts and afterwards.

XLA takes 1.5 MB, an MLIR context, for each fusion that waits to be lowered. On a CPU one thread hands fusions out and
others lower them. Where all share one core, as on a slot, the first runs ahead until hundreds wait: 300 MB, and a fifth
of the time of compiling, for nothing. It is made to give way to the others. No bit of a program depends on that.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

NICER, NICEST = 10, 19  # steps, ten of which are a tenth of the share of the core, and the last there is
LOOK_SECONDS = 0.05
ENOUGH = 20_000_000  # nanoseconds for which a thread has run that works on a program
_TASKS = Path("/proc/self/task")  # of Linux

_Program = TypeVar("_Program")


def compiled(program: Callable[[], _Program]) -> _Program:
    """What `program` returns or raises, which compiles; what is free goes back to the system after it.

    On the one core of a slot it runs in a thread of its own, as JAX 0.12 hands fusions out in the one that asks
    for a program, and what has given way can't be taken back. JAX's options are there those of the whole process. An
    interrupt ends the wait, not that thread.
    """
    try:
        return _apart(program) if _on_one_core() else program()
    finally:
        give_back()


def _apart(program: Callable[[], _Program]) -> _Program:
    done: Future[_Program] = Future()
    before, thread = _worked(), threading.Thread(target=_work, args=(program, done))
    thread.start()
    try:
        while not wait([done], LOOK_SECONDS).done and not _gives_way(before, thread.native_id):
            pass
        return done.result()
    finally:
        del done  # an error holds this frame and those that called it: it would be held by itself, with their arrays


def _work(program: Callable[[], _Program], done: "Future[_Program]") -> None:
    try:
        done.set_result(program())
    except BaseException as error:
        done.set_exception(error)
        del done  # for the same reason


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


def _gives_way(before: dict[int, int], asking: int | None) -> bool:
    """Whether the thread that hands fusions out is known by now; it gives way from then on.

    It is the one that asks for the program, or else the oldest of XLA's that work. It starts the others, which would be
    as nice if it were so before.
    """
    python = {thread.native_id for thread in threading.enumerate()} - {asking}
    working = {task for task, spent in _worked().items() if spent - before.get(task, 0) >= ENOUGH}
    others = working - python - {threading.get_native_id()}  # in a worker a thread of Ray's, which Python may not know
    if len(others) < 2:
        return False
    with suppress(OSError):
        task = asking if asking in others else min(others)
        os.setpriority(os.PRIO_PROCESS, task, min(os.getpriority(os.PRIO_PROCESS, 0) + NICER, NICEST))
    return True


def _worked() -> dict[int, int]:
    """The nanoseconds that each thread of this process has run."""
    worked = {}
    for task in _TASKS.iterdir():
        with suppress(OSError, ValueError, IndexError):  # a thread that has ended, a kernel that doesn't tell
            worked[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return worked
