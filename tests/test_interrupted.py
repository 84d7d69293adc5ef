"""A Ctrl-C that comes while the launch prints a line: it stops softly as at any other moment."""

import io
import os
import signal
import sys
import threading

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
