"""stdout and stderr: all text leaves through them, printable; they turn silent when nobody can read them any more."""

import atexit
import codecs
import errno
import gc
import io
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from scalectl.analysis.printable import printable, printable_screen
from scalectl.orchestrator.errors import Exit, Refusal


class Unwritable(Refusal):
    """A stdout that can't be written to; `unread` where its reader, such as head, has seen enough."""

    exit = Exit.FAILED

    def __init__(self, error: OSError) -> None:
        self.unread = error.errno == errno.EPIPE
        super().__init__(f"stdout can't be written: {error.strerror}.")


class _Stream(io.FileIO):
    """A stream of this process that goes nowhere from the first write that fails; that write raises Unwritable.

    One that `lasts` raises nothing.
    """

    lasts = False

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # for the libraries that write to it by its number as well
            os.close(nowhere)
            if not self.lasts:
                raise Unwritable(error) from error
            return memoryview(data).nbytes  # type: ignore[arg-type]


class _Printed(io.TextIOWrapper):
    """A text stream that makes printable what is written to it; `screen` is the same one for what moves the cursor."""

    def __init__(self, raw: _Stream, encoding: str, errors: str) -> None:
        super().__init__(io.BufferedWriter(raw), encoding, errors, line_buffering=True)
        self.screen = _Screen(self.buffer, encoding, errors, line_buffering=True)

    def write(self, text: str) -> int:
        super().write(printable(text))
        return len(text)


class _Screen(io.TextIOWrapper):
    def write(self, text: str) -> int:
        super().write(printable_screen(text))
        return len(text)


_streams: dict[str, _Stream] = {}


def guard() -> None:
    """Put streams that turn silent in place of this process's own; one that is closed goes nowhere from here on."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # else the next file that is opened takes its number
            os.open(os.devnull, os.O_RDWR)
        if name != "stdin":
            setattr(sys, name, _guarded(number, name))
    outlast("stderr")


def _guarded(number: int, name: str) -> io.TextIOWrapper:
    raw, old = _Stream(number, "w", closefd=False), getattr(sys, name)
    _streams[name] = raw
    encoding, errors = "utf-8", "replace"
    if old:
        encoding, errors = old.encoding, old.errors
    if codecs.lookup(encoding).name == "ascii":  # click would put a stream of its own in its place
        encoding = "utf-8"
    return _Printed(raw, encoding, errors)


def outlast(name: str) -> None:
    """Have this command go on when nobody can read that stream any more."""
    if name in _streams:  # else somebody else runs this command, and has streams of their own
        _streams[name].lasts = True


def leave(code: int) -> NoReturn:
    """End the process with a code, and with it threads of libraries that still wait for something.

    Those of Orbax wait five minutes for a folder that nobody could make, and Python would wait for them.
    """
    gc.freeze()  # as it ends, Python looks for garbage among all that was imported: a seventh of a short answer's time
    threads = [thread for thread in threading.enumerate() if not thread.daemon]
    if threads == [threading.main_thread()]:
        sys.exit(code)
    atexit._run_exitfuncs()  # which os._exit leaves out
    for stream in (sys.stdout, sys.stderr):
        with suppress(Unwritable, ValueError):
            stream.flush()
    os._exit(code)


def hush() -> None:
    """Keep libraries that train in this process from printing what the reason of a failure says already.

    On a full disk Orbax logs each array that it can't write, and TensorStore prints a traceback for each.
    """
    logging.disable(logging.ERROR)
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
