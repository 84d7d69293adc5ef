"""What every cluster promises, on the real trainer: one suite for Ray and for this process."""

import os
import signal
from contextlib import closing
from dataclasses import replace

import pytest

from orchestrator.cluster import Cluster, Here, OnRay
from orchestrator.experiment import read
from orchestrator.plan import plan
from trainer.events import Checkpoint, Done, Event, Failed, Progress, Started, Stopped
from trainer.spec import Job


@pytest.fixture(scope="module")
def on_ray():
    with closing(OnRay(slots=2)) as made:
        yield made


@pytest.fixture(params=["here", "ray"])
def cluster(request) -> Cluster:
    return Here() if request.param == "here" else request.getfixturevalue("on_ray")


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


def test_a_slot_is_silent_when_nothing_runs(cluster):
    assert cluster.events(0.01) == []


def test_a_job_that_raises_ends_with_its_traceback_and_the_slot_goes_on(cluster, job):
    broken = replace(job, trunk=replace(job.trunk, data=replace(job.trunk.data, source="no-such-source")))
    end = run(cluster, broken)[-1]
    assert isinstance(end, Failed) and end.kind == "user_error" and "no-such-source" in end.reason
    assert isinstance(run(cluster, job)[-1], Done)


def test_a_stopped_job_goes_on_from_its_checkpoint_to_the_same_end(cluster, job, tmp_path):
    undisturbed = run(cluster, replace(job, folder=str(tmp_path / "alone")))[-1]
    cluster.start(cluster.slots[0], job)
    cluster.stop(cluster.slots[0])
    assert isinstance(told(cluster, cluster.slots[0])[-1], Stopped)
    assert run(cluster, job)[-1].digest == undisturbed.digest


def test_a_second_job_of_a_shape_compiles_nothing(cluster, job, tmp_path):
    run(cluster, job)
    assert run(cluster, replace(job, folder=str(tmp_path / "again")))[-1].compilations == 0


def test_both_clusters_train_the_same_parameters(on_ray, job, tmp_path):
    ends = [run(one, replace(job, folder=str(tmp_path / str(n))))[-1] for n, one in enumerate([Here(), on_ray])]
    assert ends[0].digest == ends[1].digest


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
