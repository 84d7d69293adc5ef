"""Rehearsals: the file of a fake cluster, what its hosts look like to Ray, and a launch that survives what they do."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from pages import ROOT
from test_cli import COMMAND
from test_cluster import told
from test_control import until
from test_gang import losses
from test_pods import members
from told import planning, rows, write

from scalectl.orchestrator.cli.fake_cluster import layout_of
from scalectl.orchestrator.cli.launch import rehearsed
from scalectl.orchestrator.cli.main import scalectl as program
from scalectl.orchestrator.cluster import fake
from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.fake import FakeCluster, Host, Preemption, gpu_hosts, slice_hosts
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Done


@pytest.mark.parametrize(
    ("slot_type", "hosts", "chips", "devices", "topology", "accelerator"),
    [
        ("v5e-16", 4, 4, 4, "4x4", "v5litepod-16"),
        ("v5e-8", 1, 8, 8, "2x4", "v5litepod-8"),
        ("v6e-1", 1, 1, 1, "1x1", "v6e-1"),
        ("v4-16", 2, 4, 4, "2x2x2", "v4-16"),
        ("v3-32", 4, 4, 8, "4x4", "v3-32"),  # two devices a chip
        ("tpu7x-16", 2, 4, 8, "2x2x2", "v7x-16"),
    ],
)
def test_a_fake_slice_has_the_hosts_of_a_real_one(slot_type, hosts, chips, devices, topology, accelerator):
    """By Google Cloud's page of each generation."""
    found = [*slice_hosts(slot_type, 2)]
    assert Counter(host.group for host in found) == {f"{slot_type}-slice-0": hosts, f"{slot_type}-slice-1": hosts}
    assert [host.variables["TPU_WORKER_ID"] for host in found[:hosts]] == [str(n) for n in range(hosts)]
    for host in found:
        assert host.chips == chips and host.variables["XLA_FLAGS"].endswith(f"={devices}")
        assert (host.variables["TPU_TOPOLOGY"], host.variables["TPU_ACCELERATOR_TYPE"]) == (topology, accelerator)


def test_a_fake_gpu_host_has_the_label_of_a_real_one():
    (host,) = gpu_hosts("rtx-6000-8", 1)
    assert host.gpus == 8 and host.labels == {"ray.io/accelerator-type": "RTX-6000"}
    assert [dict(host.labels) for host in gpu_hosts("gpu-2", 2)] == [{}, {}]


def test_the_example_is_read():
    layout = layout_of(ROOT / "deploy" / "fake-cluster.yaml")
    assert layout.slices and layout.gpu_hosts and {entry.type for entry in layout.preempt} == {"v4-16", "h100-2"}


def test_every_mistake_of_the_file_is_said_at_its_place(tmp_path):
    file = tmp_path / "fake.yaml"
    file.write_text(
        "slices: {v4-17: 2, h100: 1}\ngpu_hosts: {8xh100: 1}\nnodes: 3\npreempt: [{type: v4-16, afer: 3}]\n"
    )
    with pytest.raises(InvalidExperiment) as refused:
        layout_of(file)
    said = str(refused.value)
    for place, message in (
        (":1:10", "'v4-17' is not a type of slot"),
        (":1:20", "'h100' is not a slice of TPUs"),
        (":2:13", "'8xh100' is not a type of slot"),
        (":3:1", "unknown key 'nodes'"),
        (":4:25", "unknown key 'afer'"),
    ):
        assert any(place in line and message in line for line in said.splitlines()), (place, said)
    assert "preempt[0].after: missing" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus: 0\n", "no slot at all"),
        ("slices: {v3-2048: 1}\n", "256 hosts are more than 32"),
        ("slices: {v4-16: 1}\npreempt: [{type: v4-32, after: 3}]\n", "the cluster has no v4-32"),
        ("3\n", "not a mapping"),
    ],
)
def test_a_cluster_that_can_not_be_played_is_refused(tmp_path, text, message):
    (tmp_path / "fake.yaml").write_text(text)
    with pytest.raises(InvalidExperiment, match=message):
        layout_of(tmp_path / "fake.yaml")


def test_a_rehearsal_has_a_store_of_its_own_unless_it_is_given_one():
    assert rehearsed(()) == ("store=rehearsal/results.db", "artifacts=rehearsal/artifacts")
    assert rehearsed(("store=a.db",)) == ("store=a.db", "artifacts=rehearsal/artifacts")


def test_a_rehearsal_is_planned_against_its_own_store(study, monkeypatch):
    """It was planned against the store of the real study, in which all may be done."""
    records, found = planning(study)
    with records:
        write(records, found.jobs)
    monkeypatch.chdir(study.folder)
    real, rehearsal = (
        CliRunner().invoke(program, ["launch", study.file.name, "-n", *words], catch_exceptions=False).output
        for words in ([], ["--fake-cluster", "f.yaml"])
    )
    assert "Nothing is missing." in real
    again = "scalectl launch experiments.yaml --set store=rehearsal/results.db --set artifacts=rehearsal/artifacts"
    assert f"Nothing was started. Next: {again} --fake-cluster f.yaml" in rehearsal


@pytest.mark.parametrize("words", [["--here"], ["--detach"], ["--address", "10.0.0.7:6379"]])
def test_a_rehearsal_is_on_no_other_cluster(study, words):
    done = CliRunner().invoke(program, ["launch", str(study.file), "--fake-cluster", "f.yaml", *words])
    assert done.exit_code == 2 and "leave out --address, --detach, --here" in done.output


@pytest.fixture
def gpus() -> Iterator[FakeCluster]:
    """Two hosts with one GPU each, whose label is set by hand: Ray has no resource of that name."""
    with closing(FakeCluster(0, [*gpu_hosts("rtx-6000", 2)], (), print)) as cluster:
        yield cluster


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_gpus_of_two_hosts_train_one_job_together(gpus, study, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.orchestrator.cluster.supervisor.ROOM_SECONDS", 3.0)
    job = plan(read(study.write(steps="[60]"))).jobs[0].job
    alone = opened("here")
    alone.start("here", replace(job, folder=str(tmp_path / "alone")))
    expected = losses(told(alone, "here"))
    wanted = {"rtx-6000": 1.0, "rtx-6000-2": 2.0}
    with closing(opened("ray", Request(address=gpus.address, wanted=wanted))) as cluster:
        assert cluster.slots == ("rtx-6000/0", "rtx-6000/1", "rtx-6000-2/0")
        for slot in ("rtx-6000/0", "rtx-6000-2/0"):  # the second needs the GPU that the first holds
            cluster.start(slot, replace(job, folder=str(tmp_path / slot)))
            events = told(cluster, slot)
            assert isinstance(events[-1], Done), events[-1]
            found = losses(events)
            assert found.keys() == expected.keys()
            assert max(abs(found[step] - expected[step]) for step in expected) < 1e-5
        gang = [host for host in members().values() if host == ("", "")]  # others belong to slices of other tests
        assert len(gang) == 2  # processes of one gang, which stays for a next job


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_hosts_come_back_on_a_machine_that_is_too_busy_for_ray(monkeypatch):
    """Notices that the head doesn't take, and hosts that aren't there in the time that Ray gives them."""
    secure(None)  # before Ray is imported
    said, tries = list[str](), Counter[str]()
    started = FakeCluster._started

    def late(self: FakeCluster, host: Host) -> Any:
        node = started(self, host)
        tries[host.group] += 1
        if tries[host.group] == 2:
            raise TimeoutError("Timed out after 30 seconds while waiting for node")
        return node

    def silent(*words: Any, **more: Any) -> Any:
        raise RuntimeError("Deadline Exceeded")

    monkeypatch.setattr(FakeCluster, "_started", late)
    monkeypatch.setattr(FakeCluster, "_in_use", lambda self, host: True)
    monkeypatch.setattr(fake, "LATE_SECONDS", 0.5)
    monkeypatch.setattr("ray._raylet.GcsClient", silent)
    away = Preemption("h100", after=0.0, notice=0.5, away=0.5)
    with closing(FakeCluster(0, [*gpu_hosts("h100", 1)], [away], said.append)) as cluster:
        cluster.begin()
        until(lambda: "fake cluster: h100-host-0 is back" in said)
        assert len(cluster._cluster.worker_nodes) == 1
    assert "fake cluster: a host of h100-host-0 got no notice: Deadline Exceeded" in said
    assert "fake cluster: h100-host-0 stays until its jobs have left: this machine is slow" in said
    assert any("is not back yet: Timed out after 30 seconds" in line for line in said), said


FAKE = """\
slices: {v4-16: 1}
preempt: [{after: 8, type: v4-16, notice: 6, away: 2}]
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_launch_on_a_fake_slice_goes_on_when_the_slice_comes_back(study):
    """The slice is taken away while its first job starts or trains, as the machine is fast."""
    (study.folder / "fake.yaml").write_text(FAKE)
    study.write("resources: {default: {type: v4-16}}\n", steps="[120]", checkpoint_every=20)
    words = ["launch", study.file.name, "--fake-cluster", "fake.yaml", "-y"]
    done = subprocess.run([*COMMAND, *words], cwd=study.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "v4-16-slice-0 is taken away in 6 s" in done.stderr and "v4-16-slice-0 is back" in done.stderr
    assert "1 of 1 run done" in done.stdout and not study.store.exists()
    study.store = study.folder / "rehearsal" / "results.db"
    (first, *_), *_, (last, slot) = rows(study, "SELECT state, slot FROM attempts ORDER BY id")
    assert (last, slot) == ("done", "v4-16/0") and first == "preempted"
