"""A Ctrl-C at odd moments: while a launch prints a line, a second one, and one before a command has begun."""

import io
import os
import signal
import subprocess
import sys
import threading

import pytest

from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.launch.interrupts import interruptible


class Slow(io.RawIOBase):
    """A stderr during whose first write Ctrl-C is pressed."""

    written = b""

    def writable(self):
        return True

    def write(self, data):
        if not self.written:
            os.kill(os.getpid(), signal.SIGINT)
        self.written += bytes(data)
        return len(data)


def test_a_ctrl_c_within_a_line_stops_the_launch_softly(monkeypatch, capfd):
    stopping, slow = threading.Event(), Slow()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(slow), line_buffering=True))
    with interruptible(stopping):
        print("done      a-1-2", file=sys.stderr, flush=True)
    assert stopping.is_set() and slow.written.startswith(b"done      a-1-2")
    assert b"Stopping at the next checkpoint" in slow.written + capfd.readouterr().err.encode()


def test_a_second_ctrl_c_says_what_becomes_of_the_work(capfd):
    with pytest.raises(KeyboardInterrupt), interruptible(threading.Event()):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
    assert "Stopping at once: the next launch goes on from the last checkpoints" in capfd.readouterr().err


LOADING = """
import os, signal, sys

class Pressed:
    def find_spec(self, name, *rest):
        if name == "scalectl.orchestrator.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Pressed())
from scalectl.__main__ import main
main()
"""


def test_a_ctrl_c_while_a_command_loads_leaves_no_traceback():
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, "")
