"""A TPU cluster that isn't one: Ray nodes with the variables of GKE, two slices of two hosts, training on CPUs."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Cluster, Request
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Checkpoint, Done, Event, Failed, Progress, Started, Stopped
from scalectl.trainer.spec import Job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CPUS = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
SLOTS = ("v4-16/0", "v4-16/1")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables for as long as a node starts: Ray derives its labels and resources from them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def cluster():
    """A head and the hosts of the slices a and b, by slice and number."""
    secure(None)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 100 * 2**20})
    made.hosts = {}
    for name in "ab":
        for number in "01":
            gke = {"TPU_NAME": name, "TPU_WORKER_ID": number, "TPU_TOPOLOGY": "2x2x2", "TPU_ACCELERATOR_TYPE": "v4-16"}
            with environment(gke):
                made.hosts[name, number] = made.add_node(
                    num_cpus=1, resources={"TPU": 4}, object_store_memory=80 * 2**20, env_vars=gke | CPUS
                )
    yield made
    made.shutdown()


@pytest.fixture
def job(study) -> Job:
    """A job without an end of its own, with a checkpoint every 40 steps."""
    found = plan(read(study.write(steps="[60]", checkpoint_every=40))).jobs[0].job
    return replace(found, stop=10**6)


class Told:
    """What the slots of a cluster tell and nobody has asked for yet, by slot."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.events: dict[str, deque[Event]] = {slot: deque() for slot in cluster.slots}

    def until(self, slot: str, kind: type[Event]) -> Event:
        """The next event of a kind on a slot; those before it are forgotten."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            while self.events[slot]:
                event = self.events[slot].popleft()
                if isinstance(event, kind):
                    return event
                assert not isinstance(event, Done | Failed), event
            for name, batch in self.cluster.events(0.5):
                self.events[name] += batch
        raise AssertionError(f"no {kind.__name__} on {slot}")


def slice_of(pid: int) -> tuple[str, str]:
    """The slice and the number of the host that a process of this machine plays; those of the head have none."""
    pairs = dict(one.split("=", 1) for one in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in one)
    return pairs.get("TPU_NAME", ""), pairs.get("TPU_WORKER_ID", "")


def members(what: str = "Member") -> dict[int, tuple[str, str]]:
    """The processes of gangs, or their conductors, with their hosts."""
    titles = {int(one.name): one / "cmdline" for one in Path("/proc").iterdir() if one.name.isdigit()}
    found = {}
    for pid, title in titles.items():
        try:
            if title.read_text().startswith(f"ray::{what}"):
                found[pid] = slice_of(pid)
        except OSError:  # ended meanwhile
            continue
    return found


def test_two_jobs_have_a_slice_each_and_one_whose_host_is_killed_goes_on_when_a_slice_is_whole(cluster, job, tmp_path):
    with closing(opened("ray", Request(address=cluster.address, wanted={"v4-16": 16.0}))) as on:
        assert on.slots == SLOTS
        tale = Told(on)
        for slot in SLOTS:
            on.start(slot, replace(job, folder=str(tmp_path / slot)))
        first = {slot: tale.until(slot, Started) for slot in SLOTS}
        where = {slot: slice_of(begun.pid) for slot, begun in first.items()}
        assert set(where.values()) == {("a", "0"), ("b", "0")}  # host 0 tells, each of its own slice
        before = {pid: host for pid, host in members().items() if host[0] in ("a", "b")}  # not those of other tests
        assert sorted(before.values()) == [("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")]
        conductors = members("Gang").values()
        assert len(conductors) >= 2 and not {host for host, _ in conductors} & {"a", "b"}  # they'd be lost with a host
        saved = tale.until(SLOTS[0], Checkpoint)

        lost = where[SLOTS[0]][0]
        began = time.monotonic()
        cluster.remove_node(cluster.hosts[lost, "1"], allow_graceful=False)
        end = tale.until(SLOTS[0], Failed)
        took = time.monotonic() - began
        print(f"the loss of a host was told {took:.1f} s after it began to be killed: {end.reason}")
        assert end.kind == "node_lost" and took < 15
        while any(host[0] == lost for host in members().values()):  # siblings are stopped
            assert time.monotonic() - began < 15
            time.sleep(0.1)

        on.start(SLOTS[0], replace(job, folder=str(tmp_path / SLOTS[0])))  # half a slice won't do: it waits
        on.stop(SLOTS[1])
        tale.until(SLOTS[1], Stopped)
        again = tale.until(SLOTS[0], Started)
        assert again.step >= saved.step
        assert slice_of(again.pid) == (where[SLOTS[1]][0], "0")
        while tale.until(SLOTS[0], Progress).step <= again.step:  # it tells again what its checkpoint knows
            pass


def test_a_slice_of_which_a_host_is_drained_is_left_for_another_without_losing_a_step(cluster, job, tmp_path):
    from test_nodes import drain

    with closing(opened("ray", Request(address=cluster.address, wanted={"v4-16": 16.0}))) as on:
        tale = Told(on)
        on.start(SLOTS[0], replace(job, folder=str(tmp_path)))
        begun = tale.until(SLOTS[0], Started)
        tale.until(SLOTS[0], Progress)
        lost = slice_of(begun.pid)[0]
        drain(cluster, cluster.hosts[lost, "1"].node_id)
        end = tale.until(SLOTS[0], Failed)
        assert end.kind == "preempted" and "drained" in end.reason
        on.start(SLOTS[0], replace(job, folder=str(tmp_path)))
        again = tale.until(SLOTS[0], Started)
        assert again.step == end.step > 0 and slice_of(again.pid)[0] != lost


def test_a_half_dead_slice_is_no_slot(cluster):
    cluster.remove_node(cluster.hosts["a", "1"], allow_graceful=False)
    cluster.wait_for_nodes()  # until the head knows it too, which takes seconds
    with closing(opened("ray", Request(address=cluster.address, wanted={"v4-16": 16.0}))) as on:
        assert on.slots == SLOTS[:1]
    cluster.remove_node(cluster.hosts["b", "0"], allow_graceful=False)
    cluster.wait_for_nodes()
    with pytest.raises(Refusal, match=r"slice a \(v4-16, 1 of 2 hosts alive\)"):
        opened("ray", Request(address=cluster.address, wanted={"v4-16": 16.0}))
