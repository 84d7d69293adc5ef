"""launch --detach on a cluster: a job of Ray on its head, followed from elsewhere."""

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec

import pytest
from test_cli import scalectl
from test_control import until
from told import rows

from scalectl.orchestrator.store.lock import holder

WITHOUT = find_spec("aiohttp") is None


@pytest.mark.skipif(not WITHOUT, reason="the extra `jobs` is installed")
def test_without_the_extra_it_is_refused_with_its_name(study):
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        done = scalectl("launch", study.file, "-d", "--address", address, "--insecure")
    assert done.returncode == 4 and "pip install 'scalectl[jobs]'" in done.stderr
    assert not study.store.exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def address(monkeypatch, tmp_path):
    """A cluster with a dashboard and a token, on loopback."""
    for name in [name for name in os.environ if name.startswith(("RAY_AUTH", "RAY_ADDRESS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    (tmp_path / "token").write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    port, seen = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        ports = [f"--port={port}", f"--dashboard-port={seen}", "--dashboard-host=127.0.0.1"]
        options = [*ports, "--node-ip-address=127.0.0.1", "--num-cpus=1", "--include-dashboard=true"]
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--temp-dir={folder}"]
        said = tmp_path / "head.log"
        with said.open("wb") as log, subprocess.Popen([*ray, *options], stdout=log, stderr=log) as head:
            try:
                until(lambda: b"Ray runtime started" in said.read_bytes())
                yield f"127.0.0.1:{port}"
            finally:
                head.terminate()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(WITHOUT, reason="needs the extra `jobs`")
def test_a_launch_on_the_head_is_followed_stopped_and_gone_on_with(study, address):
    study.write(steps="[100000]", checkpoint_every=10**6)
    words = ["launch", study.file, "--detach", "--address", address]
    began = scalectl(*words)
    assert began.returncode == 0, began.stderr
    job = re.search(r"Ray job (\S+) launches on the head", began.stdout)[1]
    assert began.stdout.splitlines()[-1] == f"Next: scalectl status --watch --store {study.store}"
    assert holder(study.store)
    second = scalectl(*words)
    assert second.returncode == 1 and "is failed" in second.stderr and "is held by" in second.stderr
    until(lambda: rows(study, "SELECT step FROM attempts WHERE state = 'running' AND step > 0"))
    assert scalectl("stop", "--all", "--store", study.store).returncode == 0
    until(lambda: holder(study.store) is None)
    assert rows(study, "SELECT state FROM runs") == ["stopped"] and job.startswith("scalectl-")
    again = scalectl(*words, "--set", "budgets.steps=[20]")
    assert again.returncode == 0, again.stderr
    until(lambda: rows(study, "SELECT state FROM runs WHERE steps = 20") == ["done"])
    until(lambda: holder(study.store) is None)
