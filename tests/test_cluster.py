"""What every cluster promises, on the real trainer: one suite for Ray and for this process."""

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Cluster, Request
from scalectl.orchestrator.cluster.ray_server import Unreachable
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Checkpoint, Done, Event, Failed, Progress, Started, Stopped
from scalectl.trainer.spec import Job


@pytest.fixture(scope="module")
def on_ray():
    with closing(opened("ray", Request(slots=2))) as made:
        yield made


@pytest.fixture(params=["here", "ray"])
def cluster(request) -> Cluster:
    return opened("here") if request.param == "here" else request.getfixturevalue("on_ray")


@pytest.fixture
def job(study) -> Job:
    return plan(read(study.write(steps="[60]"))).jobs[0].job  # the trunk: steps 0 to 48


def told(cluster: Cluster, slot: str) -> list[Event]:
    """Every event of the job on a slot, to its end."""
    events: list[Event] = []
    while not (events and isinstance(events[-1], Done | Stopped | Failed)):
        events += [event for one, batch in cluster.events(0.5) if one == slot for event in batch]
    return events


def run(cluster: Cluster, job: Job) -> list[Event]:
    cluster.start(cluster.slots[0], job)
    return told(cluster, cluster.slots[0])


def test_a_job_tells_its_start_its_steps_its_checkpoint_and_its_end(cluster, job):
    events = run(cluster, job)
    assert isinstance(events[0], Started) and isinstance(events[-1], Done)
    assert [event.step for event in events if isinstance(event, Progress)][-1] == job.stop
    assert [event.step for event in events if isinstance(event, Checkpoint) and event.kept] == [job.stop]


def test_a_worker_on_a_cpu_keeps_its_heap(on_ray, job):
    started = run(on_ray, job)[0]
    environment = Path(f"/proc/{started.pid}/environ").read_bytes().split(b"\0")
    assert {f"{name}={value}".encode() for name, value in heap.ENVIRONMENT.items()} <= {*environment}


def test_a_worker_leaves_the_cores_to_others_and_room_below_it_for_its_compiler(on_ray, job):
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, run(on_ray, job)[0].pid) == min(own + 5, 19)


def test_a_cluster_of_one_launch_has_no_process_that_nobody_asks(on_ray):
    ours = ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "args="]
    processes = subprocess.run(ours, capture_output=True, text=True, check=True).stdout
    assert "gcs_server" in processes and "raylet" in processes
    assert "monitor.py" not in processes, processes  # of logs, or of an autoscaler


def test_a_slot_is_silent_when_nothing_runs(cluster):
    assert cluster.events(0.01) == []


def test_a_job_that_raises_ends_with_its_traceback_and_the_slot_goes_on(cluster, job):
    broken = replace(job, trunk=replace(job.trunk, data=replace(job.trunk.data, source="no-such-source")))
    end = run(cluster, broken)[-1]
    assert isinstance(end, Failed) and end.kind == "bad_config" and "no-such-source" in end.reason
    assert isinstance(run(cluster, job)[-1], Done)


@pytest.mark.slow
def test_a_stopped_job_goes_on_from_its_checkpoint_to_the_same_end(cluster, job, tmp_path):
    job = replace(job, stop=4800)  # long enough that no machine ends it before the stop arrives
    run(cluster, replace(job, stop=16))  # a turn of the same id just ended: the stop isn't taken for its own
    undisturbed = run(cluster, replace(job, folder=str(tmp_path / "alone")))[-1]
    cluster.start(cluster.slots[0], job)
    cluster.stop(cluster.slots[0])
    assert isinstance(told(cluster, cluster.slots[0])[-1], Stopped)
    assert run(cluster, job)[-1].digest == undisturbed.digest


def test_a_second_job_of_a_shape_compiles_nothing(cluster, job, tmp_path):
    run(cluster, job)
    assert run(cluster, replace(job, folder=str(tmp_path / "again")))[-1].compilations == 0


def test_both_clusters_train_the_same_parameters(on_ray, job, tmp_path):
    ends = [run(one, replace(job, folder=str(tmp_path / str(n))))[-1] for n, one in enumerate([opened("here"), on_ray])]
    assert ends[0].digest == ends[1].digest


@pytest.mark.slow
def test_a_killed_worker_is_a_lost_node_and_its_slot_comes_back(on_ray, job):
    slot = on_ray.slots[1]
    on_ray.start(slot, replace(job, stop=10**7))
    events = []
    while not events:
        events = [event for one, batch in on_ray.events(0.5) if one == slot for event in batch]
    os.kill(events[0].pid, signal.SIGKILL)
    end = told(on_ray, slot)[-1]
    assert isinstance(end, Failed) and end.kind == "node_lost" and slot in end.reason
    on_ray.start(slot, job)
    assert isinstance(told(on_ray, slot)[-1], Done)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere"])
def test_a_cluster_that_is_not_there_is_refused_at_once(address):
    with pytest.raises(Unreachable, match=re.escape(f"no Ray cluster at '{address}'")):
        opened("ray", Request(address=address))


@pytest.fixture
def short_folder():
    """A folder for Ray, whose sockets' paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_cluster_that_runs_already_is_joined_and_left_running(job, tmp_path, short_folder):
    """A real head of its own on loopback; the client joins it from another process, as a launch does."""
    env = os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    env = {name: value for name, value in env.items() if not name.startswith("RAY_AUTH")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={short_folder}"]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *options]
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    with subprocess.Popen(ray, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as head:
        try:
            answers(port)
            join = [sys.executable, "-c", JOIN, f"127.0.0.1:{port}", str(tmp_path / "job")]
            for _ in range(2):
                done = subprocess.run(join, env=env, capture_output=True, text=True, timeout=120)
                assert done.stdout.splitlines()[-1] == "Done", done.stderr[-2000:]
            assert head.poll() is None
        finally:
            head.terminate()


JOIN = """
import pickle, sys
from contextlib import closing
from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
with closing(opened("ray", Request(address=sys.argv[1]))) as cluster:
    cluster.start(cluster.slots[0], pickle.load(open(sys.argv[2], "rb")))
    events = []
    while not (events and type(events[-1]).__name__ in ("Done", "Failed")):
        events += [event for _, batch in cluster.events(0.5) for event in batch]
    print(type(events[-1]).__name__)
"""


def answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.2)
    raise AssertionError("the head of the cluster never answered")
