"""What strikes every process of a launch at once, or Ray's own: the launch saves what it has, or heals."""

import os
import signal
import subprocess

import psutil
import pytest
from conftest import GRID
from test_cli import scalectl
from test_control import until
from test_crash import compare, launch_to_the_end, measured, start
from told import rows

pytestmark = pytest.mark.slow


def below(launcher: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(launcher.pid).children(recursive=True)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_when_every_process_gets_sigterm_the_jobs_leave_checkpoints(study):
    study.write(steps="[1000000]", checkpoint_every=10**6)
    launcher = start(study, "--slots", "1")
    try:
        until(lambda: measured(study))
        processes = below(launcher)
        os.killpg(launcher.pid, signal.SIGTERM)
        assert launcher.wait(timeout=60) == 130
    finally:
        launcher.kill()
    assert rows(study, "SELECT state FROM attempts") == ["stopped"]
    assert len(rows(study, "SELECT path FROM checkpoints")) == 1
    until(lambda: not any(map(alive, processes)), seconds=10)


def test_a_sigterm_while_ray_starts_ends_a_launch_before_its_first_job(study):
    launcher = start(study, "--slots", "1")
    try:
        until(lambda: "trunk" in (study.folder / "log.txt").read_text())
        os.killpg(launcher.pid, signal.SIGTERM)
        assert launcher.wait(timeout=60) == 130
    finally:
        launcher.kill()
    assert rows(study, "SELECT state FROM attempts") == []
    assert rows(study, "SELECT DISTINCT state FROM runs") == ["planned"]


@pytest.mark.parametrize(("name", "value"), [("TMPDIR", "/none"), ("HOME", "/dev/null")])
def test_where_ray_cant_start_the_setting_is_named(study, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    done = scalectl("launch", study.file)
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 2, done.stderr
    assert name in done.stderr and "--here" in done.stderr


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_launch_goes_on_when_a_process_of_ray_is_killed(study, whole, name):
    launch_to_the_end(whole, "--here")
    study.write(**GRID)
    launcher = start(study, "--slots", "1")
    try:
        until(lambda: measured(study))
        processes = below(launcher)
        (lost,) = [one for one in processes if one.name() == name]
        lost.kill()
        assert launcher.wait(timeout=200) == 0, (study.folder / "log.txt").read_text()[-3000:]
    finally:
        launcher.kill()
    assert rows(study, "SELECT kind FROM attempts WHERE state = 'lost'") == ["node_lost"]
    compare(study, whole)
    until(lambda: not any(map(alive, processes)), seconds=10)
