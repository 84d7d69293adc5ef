"""Evaluations added to runs that are done: their interrupts, stops and failures are no success."""

import os
import signal
import time
from contextlib import contextmanager

import pictures
import pytest
from click.testing import CliRunner
from test_cli import scalectl
from test_control import until
from test_crash import start
from told import planning, rows, write

from scalectl.orchestrator.cli.main import scalectl as verbs
from scalectl.orchestrator.store.requests import asked_to_stop

SLOW = "  finetune: {dataset: digits, steps: 200000, batch_size: 32}\n"
RUNNING = "SELECT state FROM attempts WHERE state = 'running'"


@pytest.fixture
def finished(study):
    """A store of two runs that are done, launched, and one more evaluation in the file."""
    assert scalectl("launch", study.file, "--here").returncode == 0
    study.write(extra=SLOW)
    return study


@contextmanager
def ended(launcher):
    """A launcher that doesn't outlive the test."""
    try:
        yield launcher
    finally:
        launcher.kill()


def said(study):
    return (study.folder / "log.txt").read_text()


@pytest.mark.slow
def test_an_interrupt_of_them_is_one_and_they_can_be_stopped_from_elsewhere(finished):
    with ended(start(finished, "--here")) as launcher:
        until(lambda: rows(finished, RUNNING))
        os.killpg(launcher.pid, signal.SIGINT)
        assert launcher.wait(timeout=60) == 130
    assert "0 of 2 runs done in" in said(finished) and ", 2 not evaluated" in said(finished)
    assert rows(finished, "SELECT DISTINCT state FROM runs") == ["done"]

    with ended(start(finished, "--here")) as launcher:
        until(lambda: rows(finished, RUNNING))
        time.sleep(5)  # in the midst of the last measurement, which takes minutes
        asked = CliRunner().invoke(verbs, ["stop", "--all", "--store", str(finished.store)])
        assert f"Asked process {launcher.pid}" in asked.output and "stop 2 runs" in asked.output
        assert launcher.wait(timeout=60) == 0
    assert "Runs were stopped on request" in said(finished)


@pytest.mark.slow
def test_a_failure_of_them_is_one(study):
    good = pictures.greys(study.folder / "good.parquet", range(0, 200, 5))
    sound = pictures.grey(37)
    torn = sound[:45] + bytes(4) + sound[49:]  # in the middle, where planning does not look
    cut = pictures.layout([torn] * 20, [0, 1] * 10)
    bad = pictures.write(study.folder / "bad.parquet", cut)
    study.file.write_text(pictures.STUDY.format(source=f"parquet:{good}", more=", held_out: 9"))
    assert scalectl("launch", study.file, "--here").returncode == 0
    tuned = f"finetune: {{dataset: bad, steps: 20, batch_size: 4}}, datasets: {{bad: {{source: 'parquet:{bad}'}}}}"
    with study.file.open("a") as file:
        file.write(f"evals: {{upstream: {{metrics: [loss]}}, {tuned}}}\n")
    done = scalectl("launch", study.file, "--here")
    assert done.returncode == 1, done.stderr
    assert "0 of 1 run done in" in done.stdout and ", 1 evaluation failed" in done.stdout
    assert rows(study, "SELECT state FROM runs") == ["done"]


def test_without_a_launcher_there_is_nothing_of_them_to_stop(study):
    records, found = planning(study)
    with records:
        write(records, found.jobs)
    planning(study, extra=SLOW)[0].close()
    done = scalectl("stop", "--all", "--store", study.store)
    assert done.returncode == 0 and "There is nothing to stop: 2 done" in done.stdout
    assert asked_to_stop(study.store) == frozenset()
