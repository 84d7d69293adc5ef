"""The end of a process whose parent has ended: Ray's own workers go on, and hold what they have, when a raylet dies."""

import os
import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.5
LEAVING_SECONDS = 10.0  # for a last checkpoint; a successor may be placed elsewhere by then


def ends_with_parent(leave: Callable[[], None], busy: Callable[[], bool]) -> None:
    """Have this process end once its parent has: `leave` is called first, and then it is waited until it isn't `busy`.

    The wait takes LEAVING_SECONDS at most.
    """
    arguments = (os.getppid(), leave, busy)
    threading.Thread(target=_watch, args=arguments, name="parent", daemon=True).start()


def _watch(parent: int, leave: Callable[[], None], busy: Callable[[], bool]) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    leave()
    deadline = time.monotonic() + LEAVING_SECONDS
    while busy() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    os._exit(1)
