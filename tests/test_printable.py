"""Names and errors that would steer a terminal or hide what they say, wherever text leaves."""

import io
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest
from matplotlib.figure import Figure
from test_cli import COMMAND
from told import planned, planning, started

from scalectl.analysis.drawing.sheet import write
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.printable import MARK, printable, printable_line, printable_screen
from scalectl.orchestrator.cli.streams import _Printed, _Stream
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.screens import Live
from scalectl.orchestrator.vocabulary import Slot
from scalectl.trainer.events import Failed, Skipped

# a colour, a cleared screen, a title, C1's CSI, a turned line, an isolate, a word that can't be seen, a line of its own
HOSTILE = "\x1b[31m\x1b[2J\x1b]0;owned\x07\x9b2Jevil\u202egnp\u2066\u2069\u200b\ufeff\U000e0041\x7f\r\u2028end"
STEERS = set(HOSTILE) - set("[31m2J]0;ownedevilgnp")


def steers(text: str) -> set[str]:
    return STEERS & set(text)


def test_what_is_written_in_any_language_stays_as_it_is():
    text = "Zażółć 图像 שלום سلام می‌خواهم \N{FAMILY} 👩‍🔬 µ\u00a0é\tx\n"
    assert printable(text) == printable_screen(text) == text
    assert printable_line("a\tb\nc") == f"a{MARK}b{MARK}c"


def test_what_steers_becomes_marks_and_the_letters_stay():
    shown = printable(HOSTILE)
    assert not steers(shown) and len(shown) == len(HOSTILE) and "evil" in shown and "end" in shown
    assert printable("caf\udce9") == f"caf{MARK}"  # of a file name in another encoding
    assert printable_screen("\x1b[2K\x1b[1A\x1b[?25l\x1b[1;31mred\r\x1b]0;t\x07") == (
        f"\x1b[2K\x1b[1A\x1b[?25l\x1b[1;31mred\r{MARK}]0;t{MARK}"
    )


def test_prompts_pages_and_figures_have_none(tmp_path):
    class Result(Report):
        def __str__(self) -> str:
            return f"law of {HOSTILE}"

    shown = [repr(Result()), Result()._repr_html_(), html_table(HOSTILE, (HOSTILE,), [(HOSTILE,)], [HOSTILE])]
    assert not any(map(steers, shown))
    figure = Figure()
    figure.add_subplot().set_title(HOSTILE.replace("$", ""))
    write(figure, tmp_path / "x.svg")
    assert not steers((tmp_path / "x.svg").read_text().replace("\r", ""))


def test_foreign_stores_csv_files_and_file_names_reach_no_terminal(study, tmp_path):
    records, found = planning(study)
    attempt = records.start(found.jobs[0], "here")
    records.write(attempt, [started(), Skipped(8, "/a/8", f"torn {HOSTILE}")])
    records.write(attempt, [Failed("user_error", 3, f"Traceback\nOSError: {HOSTILE}")])
    records.settle([found.runs[0].id], "failed", "user_error", f"OSError: {HOSTILE}")
    records.close()
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute("UPDATE runs SET name = ? WHERE number = 1", [f"{HOSTILE}\nNext: rm -rf"])
        store.execute("UPDATE studies SET name = ?", [HOSTILE])
    csv = tmp_path / f"{HOSTILE}.csv"
    csv.write_text(
        f"name,flops,{HOSTILE},x\u202e\nrun{HOSTILE},1e15,0.5,0.25\n".replace("\r", "").replace("\u2028", "")
    )
    for words in (
        ("status", "--runs", "--store", study.store),
        ("logs", found.runs[0].id, "--store", study.store),
        ("import", csv, "--store", study.store),
    ):
        done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode()
        assert said and not steers(said), (words[0], said)
        assert not any(line.lstrip().startswith("Next: rm") for line in said.split("\n"))


def test_the_bars_of_a_launch_move_and_let_nothing_else_through(study, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal, other = pty.openpty()
    monkeypatch.setattr(sys, "stderr", _Printed(_Stream(other, "w"), "utf-8", "replace"))
    with Live(Tally(planned(study), [Slot("cpu-0")])):
        print("library", HOSTILE.replace("\r", ""), file=sys.stderr)
    sys.stderr.close()
    said, screen = b"", io.FileIO(terminal)
    with suppress(OSError):  # Linux's end of a terminal
        while part := screen.read(4096):
            said += part
    screen.close()
    shown = said.decode()
    assert "\x1b[?25l" in shown and "library" in shown and "\u202e" not in shown and "\x1b]0" not in shown


@pytest.mark.timeout(60)
def test_a_command_ends_though_a_thread_of_a_library_waits(tmp_path):
    code = (
        "import atexit, sys, threading, time; from pathlib import Path\n"
        "threading.Thread(target=time.sleep, args=(100,)).start()\n"
        f"atexit.register(Path({str(tmp_path / 'ended')!r}).touch)\n"
        "from scalectl.orchestrator.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status"], cwd=tmp_path, capture_output=True, timeout=50, check=False
    )
    assert done.returncode == 5 and b"there is no store here" in done.stderr and (tmp_path / "ended").exists()
