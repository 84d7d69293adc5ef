"""Clusters that change under a launch: real nodes of Ray on this machine that end, join, lack something or are full."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import SCHEDULES, Study
from test_control import until
from told import planning, rows

from scalectl.orchestrator.cluster import ray_nodes, supervisor
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.outcome import Outcome
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.requests import ask_to_stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE = 200.0
SMALL = {"object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without a slot, and two nodes of one slot each."""
    secure(None)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    for _ in range(2):
        made.add_node(num_cpus=1, **SMALL)
    yield made
    made.shutdown()


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(ray_nodes, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(supervisor, "ROOM_SECONDS", 3.0)


def endless(study: Study, runs: int, extra: str = "") -> None:
    """Write down so many runs without an end."""
    seeds = [*range(runs)]
    study.write(schedule=SCHEDULES["linear"], steps="[1000000]", seeds=seeds, checkpoint_every=100, extra=extra)


def launched(study: Study, nodes: Any, act: Callable[[], None] = lambda: None) -> Outcome:
    """Launch a study while another thread acts."""
    errors = []

    def acted() -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    acting = threading.Thread(target=acted)
    acting.start()
    outcome = carry_out(read(study.file), Caps(), address=nodes.address)
    acting.join()
    if errors:
        raise errors[0]
    return outcome


def training(study: Study, number: int) -> Callable[[], bool]:
    """Whether so many attempts run and have left a checkpoint."""
    count = "SELECT count(DISTINCT attempts.id) FROM attempts JOIN checkpoints ON checkpoints.job = attempts.job"
    return lambda: planned(study) and rows(study, f"{count} WHERE attempts.state = 'running'")[0] >= number


def planned(study: Study) -> bool:
    """Whether the store has its tables."""
    return study.store.exists() and bool(rows(study, "SELECT name FROM sqlite_master WHERE name = 'checkpoints'"))


def raylet_of(nodes: Any, pid: int) -> Any:
    """The node whose raylet is the parent of a process."""
    parent = psutil.Process(pid).ppid()
    for node in nodes.worker_nodes:
        if node.all_processes["raylet"][0].process.pid == parent:
            return node
    raise AssertionError(f"{pid} is no worker of a node")


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextmanager
def commanded(study: Study, nodes: Any) -> Iterator[subprocess.Popen[str]]:
    """A launch in a process of its own, which is killed if it is left."""
    command = [sys.executable, "-m", "scalectl", "launch", str(study.file), "--address", nodes.address]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--insecure", "-y"], text=True, **pipes) as launch:
        try:
            yield launch
        finally:
            launch.kill()


def noted(study: Study, text: str) -> Callable[[], bool]:
    return lambda: text in rows(study, "SELECT text FROM events")


def test_a_node_that_ends_leaves_the_board_its_worker_ends_with_it_and_a_new_node_is_used(study, nodes):
    endless(study, 3, "limits: {retries: 0, acquire: 20}\n")
    with commanded(study, nodes) as launch:
        until(training(study, 2), PATIENCE)
        (pid,) = rows(study, "SELECT pid FROM attempts WHERE state = 'running' ORDER BY id")[:1]
        node = raylet_of(nodes, pid)
        since = time.monotonic()
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        until(lambda: gone(pid), 30)
        print(f"the worker of a killed raylet was gone after {time.monotonic() - since:.1f} s")
        until(noted(study, "1 slot now, 2 before"), PATIENCE)
        nodes.worker_nodes.remove(node)  # nothing is left of it to end
        nodes.add_node(num_cpus=1, **SMALL)
        until(noted(study, "2 slots now, 1 before"), PATIENCE)
        until(training(study, 2), PATIENCE)
        begun = rows(study, "SELECT first_step FROM attempts WHERE state = 'running'")
        ask_to_stop(study.store, rows(study, "SELECT id FROM runs"))
        out, error = launch.communicate(timeout=PATIENCE)
    assert launch.returncode == Exit.DONE and ", 3 stopped" in out, error
    assert "raylet" not in out + error  # which tells of a dead node on the screen of others, in colours
    attempts = rows(study, "SELECT kind, reason FROM attempts WHERE kind != '' ORDER BY id")
    assert attempts and {kind for kind, _ in attempts} <= {"node_lost", "preempted", "slot_lost"}, attempts
    assert max(begun) > 0  # what was lost went on from its checkpoint


def bad_node(nodes: Any, folder: Path, num_cpus: int = 1) -> Any:
    """A node on which that folder of packages goes before all others."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return nodes.add_node(num_cpus=num_cpus, env_vars={"PYTHONPATH": path}, **SMALL)


def test_nodes_without_scalectl_and_of_other_versions(study, nodes, tmp_path, capfd):
    broken, older = tmp_path / "broken", tmp_path / "older"
    (broken / "scalectl").mkdir(parents=True)
    (broken / "scalectl" / "__init__.py").write_text("raise ImportError('libcudart.so.12 is missing')\n")
    (older / "jax-0.0.1.dist-info").mkdir(parents=True)
    (older / "jax-0.0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: jax\nVersion: 0.0.1\n")
    added = [bad_node(nodes, broken), bad_node(nodes, older)]
    study.write(steps="[20]", seeds="[0, 1, 2, 3, 4]", schedule=SCHEDULES["linear"])
    try:
        outcome = launched(study, nodes)
    finally:
        for node in added:
            nodes.remove_node(node, allow_graceful=False)
    assert (outcome.exit, outcome.done) == (Exit.DONE, 5)
    assert set(rows(study, "SELECT state FROM attempts")) == {"done"}
    warnings = rows(study, "SELECT text FROM events WHERE what = 'warning' ORDER BY id")
    assert len(warnings) == 2, warnings
    assert re.fullmatch(r"node \S+ is left out: ImportError: libcudart.so.12 is missing", warnings[0])
    import jax

    assert warnings[1].startswith("jax is 0.0.1 on node ") and f" and {jax.__version__} in this launch" in warnings[1]
    shown = capfd.readouterr().err
    assert all(f"warning   {text}" in shown for text in warnings)


def test_a_node_that_does_not_see_the_artifacts_refuses_the_launch(study, nodes, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sitecustomize.py").write_text(
        "import pathlib\n"
        "read = pathlib.Path.read_text\n"
        "def read_text(self, *args, **options):\n"
        f"    if str(self).startswith({str(study.folder)!r}):\n"
        "        raise FileNotFoundError(self)\n"
        "    return read(self, *args, **options)\n"
        "pathlib.Path.read_text = read_text\n"
    )
    node = bad_node(nodes, elsewhere)
    study.write(steps="[20]")
    try:
        with pytest.raises(Refusal, match=r"node \S+ doesn't see the artifacts folder .*Share that folder") as refused:
            launched(study, nodes)
    finally:
        nodes.remove_node(node, allow_graceful=False)
    assert refused.value.exit is Exit.REFUSED
    assert not study.store.exists()
    assert not [*(study.folder / "artifacts").glob("seen*")]


def test_a_cluster_without_slots_of_the_type_refuses_and_the_store_stays_as_it_is(study, nodes, capfd):
    extra = "resources: {default: {type: h100}}\nlimits: {acquire: 3}\n"
    study.write(extra)
    lacks = r"^refused: no worker has joined the cluster in 3 s .*: no slots of type h100: the cluster has \d CPUs\.$"
    for make in (lambda: None, lambda: planning(study, extra=extra)[0].close()):
        make()
        before = study.store.exists() and study.store.read_bytes()
        with pytest.raises(Refusal, match=lacks) as refused:
            launched(study, nodes)
        assert refused.value.exit is Exit.REFUSED
        assert (study.store.exists() and study.store.read_bytes()) == before
        assert "Waiting for nodes to join, up to 3 s." in capfd.readouterr().err


HOG = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
@ray.remote(num_cpus=1)
class Hog:
    def held(self): return True
hogs = [Hog.remote() for _ in range(2)]
ray.get([hog.held.remote() for hog in hogs])
print("held", flush=True)
time.sleep(1000)
"""


def test_a_full_cluster_is_waited_for_and_status_says_so(study, nodes):
    study.write(steps="[20]", seeds="[0, 1]", schedule=SCHEDULES["linear"], extra="limits: {acquire: 8, retries: 0}\n")
    nodes.wait_for_nodes()  # Ray places actors on nodes that have just ended
    command = [sys.executable, "-c", HOG, nodes.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hog:

        def act() -> None:
            until(lambda: planned(study) and Store(study.store).status().waits_for, PATIENCE)
            assert "of 2 in the cluster 0 are free" in Store(study.store).status().waits_for
            time.sleep(9)  # longer than limits.acquire
            hog.kill()

        try:
            assert any(line == "held\n" for line in iter(hog.stdout.readline, ""))
            outcome = launched(study, nodes, act)
        finally:
            hog.kill()
    assert (outcome.exit, outcome.done) == (Exit.DONE, 2)
    assert set(rows(study, "SELECT state FROM attempts")) == {"done"}
    assert Store(study.store).status().waits_for == ""


def test_a_head_that_dies_ends_the_launch_with_checkpoints_and_closing_lines(study, nodes):
    endless(study, 2)
    with commanded(study, nodes) as launch:
        until(training(study, 2), PATIENCE)
        began = time.monotonic()
        os.kill(nodes.head_node.all_processes["gcs_server"][0].process.pid, signal.SIGKILL)
        out, error = launch.communicate(timeout=60)
        took = time.monotonic() - began
    print(f"a launch whose head died ended {took:.1f} s later")
    assert launch.returncode == Exit.NOT_FOUND, error
    assert f"Stopped: the head of the cluster at {nodes.address} is gone; checkpoints are saved. Next: start the" in out
    assert "scalectl launch" in out.splitlines()[-1]
    assert took < 40
    assert rows(study, "SELECT state FROM attempts") == ["stopped", "stopped"]
    assert set(rows(study, "SELECT state FROM runs")) == {"stopped"}
    reached = rows(study, "SELECT job, step FROM attempts ORDER BY job")
    assert reached == rows(study, "SELECT job, max(step) FROM checkpoints GROUP BY job ORDER BY job")


@pytest.mark.parametrize("everything", [False, True], ids=["the-head", "all-nodes"])
def test_a_launch_that_is_ended_together_with_its_cluster_has_closing_lines_and_is_gone_on_with(study, everything):
    """As a batch system does when its time is over: SIGTERM to the launch, the head, and all other nodes or none."""
    secure(None)
    from ray.cluster_utils import Cluster

    endless(study, 1)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        made.add_node(num_cpus=1, **SMALL)
        with commanded(study, made) as launch:
            until(training(study, 1), PATIENCE)
            ended = [made.head_node.all_processes["gcs_server"][0], made.head_node.all_processes["raylet"][0]]
            if everything:
                ended += [node.all_processes["raylet"][0] for node in made.worker_nodes]
            began = time.monotonic()
            for pid in (*(one.process.pid for one in ended), launch.pid):
                os.kill(pid, signal.SIGTERM)
            out, error = launch.communicate(timeout=90)
            print(f"a launch that was ended with its cluster took {time.monotonic() - began:.1f} s")
    finally:
        made.shutdown()
    assert launch.returncode == Exit.INTERRUPTED, (launch.returncode, out, error)
    assert "Stopped; checkpoints are saved. Next: scalectl launch" in out.splitlines()[-1], out
    assert rows(study, "SELECT state FROM runs") == ["stopped"]
    kept = rows(study, "SELECT max(step) FROM checkpoints")[0]
    ((state, step),) = rows(study, "SELECT state, step FROM attempts")
    assert (0 < kept <= step) if state == "lost" else (0 < kept == step)  # a lost one's last words came too late
    begins = f"first_step {'>=' if state == 'lost' else '='} {kept}"  # it may have left a checkpoint untold
    command = [sys.executable, "-m", "scalectl", "launch", str(study.file), "--here", "-y", "-q"]
    with subprocess.Popen(command) as again:
        until(lambda: rows(study, f"SELECT 1 FROM attempts WHERE id > 1 AND {begins}"), PATIENCE)
        again.send_signal(signal.SIGTERM)
    assert again.returncode == Exit.INTERRUPTED
