"""The live view of status: what it shows first, that it fits its terminal, and how it is left."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from fcntl import ioctl

import pytest
from rich.cells import cell_len
from told import planning, write

from scalectl.orchestrator.cli.overview import FOOT, overview, sparkline
from scalectl.orchestrator.store.live import POINTS
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer.events import Progress, Started


@pytest.fixture
def going(study):
    """A study while a launch holds it, with runs in every state."""
    records, found = planning(study, steps="[20, 40, 80]", seeds="[0, 1, 2]")
    write(records, found.jobs[:2])
    records.settle([found.runs[-1].id, found.runs[-2].id], "failed", "out_of_memory", "no room for 37 GiB")
    records.settle([found.runs[-3].id], "diverged", "", "the loss was not finite")
    attempt = records.start(found.jobs[3], "here")
    start = found.jobs[3].job.start
    curve = [Progress(start + n, 2.5 / n, 1e-3, 2.5, 0.01, 1600.0, 3.7e9, 0.37) for n in range(1, 5)]
    records.write(attempt, [Started(start, "node", 37, "cpu", "{}"), *curve])
    yield Store(study.store)
    records.close()


def drawn(store, width=100, height=40, **options):
    return overview(store.status(), store.training(), width, height, **options)


def test_failures_come_first_and_alike_ones_together(going):
    lines = drawn(going)
    failed = next(n for n, line in enumerate(lines) if line.startswith("  2 failed (out_of_memory): pico"))
    assert lines[failed + 1].strip() == "no room for 37 GiB"
    assert lines[failed + 2].startswith("  1 diverged: pico")
    assert failed < next(n for n, line in enumerate(lines) if "CURVE" in line)


def test_models_are_counted_by_state(going):
    lines = drawn(going)
    head = next(n for n, line in enumerate(lines) if "MODEL" in line)
    columns, cells = re.split(r"\s{3,}", lines[head].strip()), re.split(r"\s+", lines[head + 1].strip())
    assert columns[:4] == ["MODEL", "RUNS", "FAILED", "DIVERGED"] and cells[:4] == ["pico", "9", "2", "1"]


def test_the_best_value_of_a_model_is_that_of_a_run_that_is_done(study):
    records, found = planning(study, steps="[20, 40]")
    with records:
        write(records, found.jobs, value=0.25)
    store = Store(study.store)
    status = store.status()
    lost = status.runs[0]._replace(state=RunState.DIVERGED, value=0.01)
    status = replace(status, runs=(lost, status.runs[1]), shown=(lost, status.runs[1]))
    (line,) = (line for line in overview(status, store.training(), 100, 40) if line.startswith("  pico"))
    assert line.endswith(" 0.25")


def test_the_view_says_what_runs_wait_for_in_few_lines(going):
    waiting = [line for line in drawn(going) if re.match(r"  \d+ runs? waits? for ", line)]
    assert 1 <= len(waiting) <= 3 and all("pico" not in line for line in waiting)


def test_a_job_has_the_curve_of_its_losses(going):
    (losses,) = going.training().losses.values()
    assert losses == sorted(losses, reverse=True) and 2 <= len(losses) <= POINTS
    curve = sparkline(losses)
    assert curve[0] == "█" and curve[-1] == "▁" and any(curve in line for line in drawn(going))


def test_a_curve_without_a_slope_is_flat():
    assert (sparkline([]), sparkline([2.0]), sparkline([1.0, 1.0])) == ("", "▁", "▁▁")


@pytest.mark.parametrize("runs", [False, True])
def test_the_view_fits_every_height_and_ends_with_how_to_leave_it(going, runs):
    status, training = going.status(), going.training()
    whole = overview(status, training, 100, 200, runs=runs)
    for height in range(10, 45):
        lines = overview(status, training, 100, height, runs=runs)
        assert len(lines) == min(height, len(whole)) and lines[-1] == FOOT
        assert any("failed (out_of_memory)" in line for line in lines)
    assert len(drawn(going, height=3)) <= 3


@pytest.mark.parametrize("width", [80, 100, 160])
def test_tables_lose_columns_where_the_terminal_is_narrow(going, width):
    tables = [line for line in drawn(going, width=width) if "JOB" in line or "MODEL" in line or "trunk" in line]
    assert tables and max(map(cell_len, tables)) <= width


def test_five_thousand_runs_take_no_more_lines_than_nine(going):
    status = going.status()
    many = replace(status, runs=status.runs * 560, shown=status.shown * 560)
    lines = overview(many, going.training(), 100, 40)
    assert len(lines) == len(overview(status, going.training(), 100, 40))
    assert any(re.search(r" 1,120 failed .* and 1,117 more", line) for line in lines)


class Watching:
    """`scalectl status -w` on a terminal of its own."""

    def __init__(self, store) -> None:
        self.terminal, ours = pty.openpty()
        self.resize(24, 80)
        command = [sys.executable, "-m", "scalectl", "status", "-w", "--store", str(store.path)]
        self.process = subprocess.Popen(
            command, stdin=ours, stdout=ours, stderr=ours, start_new_session=True, env=os.environ | {"TERM": "xterm"}
        )
        os.close(ours)
        self.text = ""

    def resize(self, lines: int, columns: int) -> None:
        ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, pattern: str) -> str:
        """Read on until the pattern is there, and return what came since the last call."""
        begin, deadline = len(self.text), time.monotonic() + 30
        while not re.search(pattern, self.text[begin:]):
            assert time.monotonic() < deadline, self.text[begin:]
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert re.search(pattern, self.text[begin:]), self.text[begin:]
        return self.text[begin:]


def test_the_view_follows_the_size_of_its_terminal_and_is_left_with_ctrl_c(going):
    watching = Watching(going)
    try:
        first = watching.until(re.escape(FOOT))
        assert first.count("\x1b[?1049h") == 1 and "\x1b[2J" not in first.partition(FOOT)[2]
        watching.resize(40, 120)
        assert "pico" in watching.until(re.escape(FOOT))
        watching.process.send_signal(signal.SIGINT)
        assert "\x1b[?25h" in watching.until(r"\x1b\[\?1049l")  # the cursor and the screen of before are back
        assert watching.process.wait(10) == 130 and "Traceback" not in watching.text
    finally:
        watching.process.kill()
        watching.process.wait()
        os.close(watching.terminal)
