"""What a process lacks when the system gives it no more memory, threads or files: the limit, and how to raise it."""

import errno
import os
import re
import resource
import threading
from contextlib import suppress

from scalectl.orchestrator.errors import Exit, Refusal

_ALONE = 24 + 4 * (os.cpu_count() or 1)  # threads of a launch without Ray: 26 were counted on two cores
_WITH_RAY = 256  # of one with Ray and one slot, all its processes together: 210 were counted
_AMPLE = 10_000  # a limit that nobody reaches, so that nothing is tried


class Short(Refusal):
    """A command that the system gives too little of something."""

    exit = Exit.FAILED


def require_launch(*, alone: bool) -> None:
    """Raise Short where this user may not have the threads of a launch, which starts a cluster unless it is `alone`."""
    if alone:
        require_threads(_ALONE)
    else:
        require_threads(_WITH_RAY)


def require_threads(number: int) -> None:
    """Raise Short where this user may not have so many threads more: JAX would abort, and OpenBLAS interrupt itself."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit == resource.RLIM_INFINITY or limit > _AMPLE:
        return
    enough = threading.Event()
    threads = [threading.Thread(target=enough.wait, daemon=True) for _ in range(number)]
    started = 0
    try:
        with suppress(RuntimeError):
            for thread in threads:
                thread.start()
                started += 1
    finally:
        enough.set()
        for thread in threads[:started]:
            thread.join()
    if started < number:
        raise Short(_sentence("threads or processes"))


_LIMITS = {  # by the words of the message: the limit, its letter in ulimit, and how many of its units are one there
    "memory": (resource.RLIMIT_AS, "v", 1024),
    "threads or processes": (resource.RLIMIT_NPROC, "u", 1),
    "open files": (resource.RLIMIT_NOFILE, "n", 1),
}
_ERRNOS = {
    errno.ENOMEM: "memory",
    errno.EAGAIN: "threads or processes",
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
}
_MESSAGES = {
    "memory": r"cannot allocate|failed to map|out of memory|unable to allocate|bad_alloc|cannot mmap",
    "threads or processes": r"can't start new thread|thread constructor|resource temporarily unavailable",
    "open files": r"too many open files",
}


def shortage(error: BaseException) -> str:
    """What an error or its causes say that the system ran out of, in a sentence with the limit; or nothing."""
    cause: BaseException | None = error
    while cause is not None:
        if name := _lacking(cause):
            return _sentence(name)
        cause = cause.__cause__ or cause.__context__
    return ""


def _lacking(error: BaseException) -> str:
    if isinstance(error, MemoryError | SystemError):  # SystemError: of an interpreter that got none midway
        return "memory"
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return _ERRNOS[error.errno]
    if isinstance(error, RuntimeError | ImportError | OSError):
        for name, pattern in _MESSAGES.items():
            if re.search(pattern, str(error), re.IGNORECASE):
                return name
    return ""


def _sentence(name: str) -> str:
    limit, letter, unit = _LIMITS[name]
    soft, _ = resource.getrlimit(limit)
    if soft == resource.RLIM_INFINITY:
        return f"The system gave this command no more {name}: end other programs, or take a larger machine."
    return f"This command needs more {name} than it may have: ulimit -{letter} is {soft // unit:,}. Raise it."
