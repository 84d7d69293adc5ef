"""The heap of a worker that computes on a CPU, where XLA's memory is the C library's.

XLA frees the memory that a step worked in, and asks for as much again in the next one. glibc maps pieces of such a size
anew each time, and the kernel clears every page of them, which takes two fifths of a step of width 64. A heap that
keeps what was freed hands it on as it is. docs/performance.md has the measurements.
"""

import ctypes
from functools import cache
from typing import Any

# Of glibc's mallopt(3): one heap for all threads, no mappings beside it, and nothing handed back on its own. It has to
# be there when a process starts, before its threads have heaps; other C libraries don't know these names.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}


@cache
def _library() -> Any:
    return ctypes.CDLL(None)


def give_back() -> None:
    """Hand what is free back to the system, where the C library is glibc."""
    if hasattr(_library(), "malloc_trim"):
        _library().malloc_trim(0)
