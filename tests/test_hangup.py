"""A terminal that is lost: the launch saves what it has, and nohup keeps it going."""

import os
import signal
import subprocess

import pytest
from test_control import until
from test_crash import COMMAND, measured, start
from told import rows


@pytest.fixture(autouse=True)
def heard():
    """A launcher hears SIGHUP even where these tests run under nohup themselves."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("flags", [("--here",), pytest.param(("--slots", "1"), marks=pytest.mark.slow)])
def test_a_lost_terminal_stops_a_launch_at_a_checkpoint(study, flags):
    study.write(steps="[100000]", checkpoint_every=10**6)
    launcher = start(study, *flags)
    try:
        until(lambda: measured(study))
        for _ in range(2):  # the shell and the kernel both tell
            os.killpg(launcher.pid, signal.SIGHUP)
        assert launcher.wait(timeout=60) == 130
    finally:
        launcher.kill()
    assert rows(study, "SELECT state FROM attempts") == ["stopped"]
    assert len(rows(study, "SELECT path FROM checkpoints")) == 1


@pytest.mark.slow
def test_a_ctrl_c_is_heard_by_the_launcher_and_not_by_the_processes_that_read(study):
    more = "resources: {default: {workers: 2}}\n"
    study.write(steps="[100000]", checkpoint_every=10**6, extra=more)
    drawn = study.file.read_text().replace("source: digits", "source: synthetic\n  image_size: 8")
    study.file.write_text(drawn.replace("[digits]", "[synthetic]"))
    launcher = start(study, "--here")
    try:
        until(lambda: measured(study))
        os.killpg(launcher.pid, signal.SIGINT)
        assert launcher.wait(timeout=60) == 130
    finally:
        launcher.kill()
    assert rows(study, "SELECT state FROM attempts") == ["stopped"], (study.folder / "log.txt").read_text()


@pytest.mark.slow
def test_under_nohup_a_launch_goes_on(study):
    study.write(steps="[2000]", checkpoint_every=10**6)
    with (study.folder / "log.txt").open("wb") as log:
        words = ["nohup", *COMMAND, str(study.file), "--here"]
        launcher = subprocess.Popen(words, stdout=log, stderr=log)
    until(lambda: measured(study))
    launcher.send_signal(signal.SIGHUP)
    assert launcher.wait(timeout=100) == 0
