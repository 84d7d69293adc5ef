"""The signals that end a launch: the first asks it to leave checkpoints, a second ends its work at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scalectl.orchestrator.launch.log import say


@contextmanager
def interruptible(stopping: threading.Event) -> Iterator[None]:
    """Have `stopping` set by the first Ctrl-C, SIGTERM or SIGHUP; a second one ends the process's work at once.

    A terminal that is lost may say so twice, so that SIGHUP is no such second one; nohup has it ignored as before. From
    the second on all are ignored: what is left to do is to end Ray's processes, which another one would leave behind.
    """
    hurrying = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if stopping.is_set():
            if number == signal.SIGHUP or hurrying.is_set():
                return
            hurrying.set()
            say("Stopping at once: the next launch goes on from the last checkpoints.")
            raise KeyboardInterrupt
        stopping.set()
        say("Stopping at the next checkpoint; press Ctrl-C again to stop at once.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
