"""The folders of embedded clusters: private, refused where somebody else has them, and gone with their launch."""

import os
import pwd
import stat
import subprocess
import sys
import threading

import psutil
import pytest
from told import planned

from scalectl.orchestrator.cluster import lease, sessions
from scalectl.orchestrator.cluster.lease import leased
from scalectl.orchestrator.cluster.sessions import Session, sweep
from scalectl.orchestrator.cluster.worker import stream
from scalectl.orchestrator.errors import Refusal
from scalectl.trainer.events import Failed, Stopped


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The folder of all sessions, in a folder for temporary files that is short enough."""
    monkeypatch.setattr(sessions, "_LONGEST", 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    if sys.platform != "linux":
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return tmp_path / f"scalectl-{os.geteuid()}"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_launch_has_a_private_folder_which_is_gone_with_it(base):
    before = os.umask(0)
    try:
        first, second = Session(), Session()
    finally:
        os.umask(before)
    inner = first.folder / "session_37" / "logs"
    inner.mkdir(parents=True)
    for folder in (first.folder, inner.parent, inner):
        folder.chmod(0o777)  # as Ray does
    first.close_to_others()
    modes = {(path.is_dir(), mode(path)) for path in (base, *base.rglob("*"))}
    assert modes == {(True, 0o700), (False, 0o600)}
    first.remove()
    sweep()
    assert [path.name for path in base.iterdir()] == [second.folder.parent.name]
    second.remove()
    assert not [*base.iterdir()]


HELD = """
import subprocess, sys
from scalectl.orchestrator.cluster import sessions
sessions._LONGEST = 1000
session = sessions.Session()
(session.folder / "logs").mkdir(parents=True)
with (session.folder / "logs" / "worker.err").open("w") as log:
    worker = subprocess.Popen(["sleep", "100"], stderr=log)
print(worker.pid, flush=True)
sys.stdin.read()
"""


def test_workers_of_a_launcher_that_was_killed_are_ended_before_the_next_launch(base):
    command = [sys.executable, "-c", HELD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout
        worker = int(launcher.stdout.readline())
        sweep()
        os.kill(worker, 0)  # its launcher lives
        launcher.kill()
        launcher.wait()
        sweep()
    assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE
    assert not [*base.iterdir()]


@pytest.mark.parametrize("kind", ["link", "file", "no TMPDIR", "open to all"])
def test_a_base_that_others_may_have_made_is_refused_with_a_remedy(base, monkeypatch, tmp_path, kind):
    if kind == "link":
        base.symlink_to(tmp_path)
    elif kind == "file":
        base.touch()
    elif kind == "no TMPDIR":
        monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    else:
        base.mkdir()
        tmp_path.chmod(0o777)
    with pytest.raises(Refusal, match=r"scalectl-\d|anybody may replace") as refusal:
        Session()
    assert "TMPDIR" in str(refusal.value) and "--here" in str(refusal.value)
    sweep()  # as a launch with --here does, too


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_base_of_another_user_is_refused(base):
    base.mkdir()
    os.chown(base, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(Refusal, match="belongs to user"):
        Session()


def test_a_long_tmpdir_is_no_obstacle(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    session = Session()
    try:
        assert len(str(session.folder)) < 40 and not [*long.iterdir()]
    finally:
        session.remove()


def test_a_job_waits_until_its_folder_is_nobody_elses(study, monkeypatch):
    job = planned(study).jobs[0].job
    with leased(job.folder, None):
        stopping = threading.Event()
        threading.Timer(0.5, stopping.set).start()
        assert [*stream(job, stopping)] == [[Stopped(job.start)]]
        monkeypatch.setattr(lease, "PATIENCE", 0.5)
        ((end,),) = stream(job, None)
        assert isinstance(end, Failed) and end.kind == "no_capacity" and job.folder in end.reason
    monkeypatch.setattr(lease, "PATIENCE", 600)  # longer than any test may take
    with leased(job.folder, None) as free:
        assert free
    with leased("gs://bucket/a", None) as free, leased("/proc/37/none", None) as other:
        assert free and other
