"""The cores of the CPU that a process may use; macOS neither tells nor binds them."""

import os
from collections.abc import Sequence

BINDS = hasattr(os, "sched_setaffinity")


def usable() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if BINDS else list(range(os.cpu_count() or 1))


def bind(cores: Sequence[int]) -> None:
    """Keep this process and the threads that it starts from now on to these cores, where the system can."""
    if BINDS:
        os.sched_setaffinity(0, cores)
