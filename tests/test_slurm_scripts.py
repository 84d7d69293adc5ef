"""What the script of one Slurm node does on the signals of Slurm, with a launch and a scontrol that are played."""

import os
import signal
import subprocess
import sys
import time

import pytest
from pages import ROOT

SCRIPT = ROOT / "deploy" / "slurm" / "one-node.sh"
LAUNCH = f"""#!{sys.executable}
import pathlib, signal, sys, time
got = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *told: got.append(told[0]))
pathlib.Path("words").write_text(" ".join(sys.argv[1:]))
while not got and not pathlib.Path("over").exists():
    time.sleep(0.02)
time.sleep(0.3)  # as a launch that leaves its checkpoints
pathlib.Path("signals").write_text(" ".join(signal.Signals(number).name for number in got))
sys.exit(130 if got else 0)
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The script as Slurm runs it: a batch script with the processes of the job in a session of their own."""
    for name, text in (("scalectl", LAUNCH), ("scontrol", '#!/bin/bash\necho "$@" > requeued\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}
    made = subprocess.Popen(["bash", str(SCRIPT), "study.yaml"], cwd=tmp_path, env=environment, start_new_session=True)
    began = time.monotonic()
    while not (tmp_path / "words").exists() and time.monotonic() - began < 30:
        time.sleep(0.02)
    time.sleep(0.2)
    yield made, tmp_path
    if made.poll() is None:
        os.killpg(made.pid, signal.SIGKILL)
    made.wait()


def test_before_the_time_limit_the_launch_is_stopped_once_and_the_job_is_put_back_into_the_queue(job):
    made, folder = job
    assert (folder / "words").read_text() == "launch study.yaml --yes"
    made.send_signal(signal.SIGUSR1)  # --signal=B:USR1 reaches the script alone
    assert made.wait(30) == 130
    assert (folder / "signals").read_text() == "SIGTERM"
    assert (folder / "requeued").read_text() == "requeue 17\n"


def test_a_cancelled_job_waits_for_its_launch_and_stays_cancelled(job):
    made, folder = job
    os.killpg(made.pid, signal.SIGTERM)
    assert made.wait(30) == 130
    assert (folder / "signals").read_text() == "SIGTERM"  # a second one would end the launch at once
    assert not (folder / "requeued").exists()


def test_a_study_that_is_done_ends_the_job(job):
    made, folder = job
    (folder / "over").touch()
    assert made.wait(30) == 0 and not (folder / "requeued").exists()
