"""Slots of several hosts: real processes that train together, and what becomes of them when one is lost."""

import os
import signal
from contextlib import closing
from dataclasses import replace

import pytest
from test_cluster import told

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_gang import taken_away, verdict
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Checkpoint, Done, Event, Failed, Progress, Started, Stopped
from scalectl.trainer.spec import Job


@pytest.fixture(scope="module")
def pair():
    with closing(opened("ray", Request(slots=2, wanted={"cpu": 1.0, "cpu-2": 2.0}))) as made:
        yield made


@pytest.fixture
def job(study) -> Job:
    return plan(read(study.write(steps="[60]"))).jobs[0].job


def losses(events) -> dict[int, float]:
    return {event.step: event.loss for event in events if isinstance(event, Progress)}


def until_it_trains(cluster) -> list[Event]:
    """What the one job of a cluster tells up to its first step."""
    events: list[Event] = []
    while not any(isinstance(event, Progress) for event in events):
        events += [event for _, batch in cluster.events(0.5) for event in batch]
    return events


@pytest.mark.slow
def test_two_processes_train_one_job_and_host_0_tells_it(pair, job, tmp_path):
    assert pair.slots == ("cpu-0", "cpu-1", "cpu-2/0") and pair.types == {"cpu-2/0": "cpu-2"}
    alone = opened("here")
    alone.start("here", replace(job, folder=str(tmp_path / "alone")))
    expected = losses(told(alone, "here"))
    pair.start("cpu-2/0", job)
    events = told(pair, "cpu-2/0")
    assert isinstance(events[-1], Done) and isinstance(events[0], Started)
    assert len([event for event in events if isinstance(event, Started)]) == 1
    found = losses(events)
    assert found.keys() == expected.keys()
    assert max(abs(found[step] - expected[step]) for step in expected) < 1e-5
    pair.start("cpu-2/0", replace(job, folder=str(tmp_path / "again")))
    again = told(pair, "cpu-2/0")
    assert again[0].pid == events[0].pid and again[-1].compilations == 0


@pytest.mark.slow
def test_a_gang_that_loses_a_host_ends_and_is_placed_anew_and_a_stop_reaches_all(pair, job):
    pair.start("cpu-2/0", replace(job, stop=10**7))
    first = until_it_trains(pair)
    os.kill(first[0].pid, signal.SIGKILL)
    end = told(pair, "cpu-2/0")[-1]
    assert isinstance(end, Failed) and end.kind == "node_lost" and "host 0 of 2" in end.reason
    pair.start("cpu-2/0", replace(job, stop=10**7))
    pair.stop("cpu-2/0")
    events = told(pair, "cpu-2/0")
    assert isinstance(events[-1], Stopped)
    pair.start("cpu-2/0", replace(job, stop=events[-1].step + 16))
    assert isinstance(told(pair, "cpu-2/0")[-1], Done)


@pytest.mark.slow
def test_a_notice_to_one_host_is_a_checkpoint_of_all(pair, job):
    pair.start("cpu-2/0", replace(job, stop=10**7))
    first = until_it_trains(pair)
    os.kill(first[0].pid, signal.SIGTERM)
    events = told(pair, "cpu-2/0")
    end = events[-1]
    assert isinstance(end, Failed) and end.kind == "preempted"
    assert [event.step for event in events if isinstance(event, Checkpoint)][-1:] == [end.step]
    pair.start("cpu-2/0", replace(job, stop=end.step + 16))
    again = told(pair, "cpu-2/0")
    assert again[0].step == end.step and isinstance(again[-1], Done)


@pytest.mark.slow
def test_types_of_slots_that_share_cpus_take_turns(pair, job, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.orchestrator.cluster.supervisor.ROOM_SECONDS", 3.0)
    for slot in ("cpu-0", "cpu-1", "cpu-2/0", "cpu-0"):  # each holds what the next one needs, and idles
        pair.start(slot, replace(job, folder=str(tmp_path / f"{slot}-{len([*tmp_path.iterdir()])}")))
        assert isinstance(told(pair, slot)[-1], Done)


def test_a_gang_that_is_too_late_to_leave_was_preempted_all_the_same():
    saved = Checkpoint(30, "30", "", True, 1.0)
    late = taken_away([saved, Failed("node_lost", 30, "host 1 of 2 died")])
    assert late[0] == saved and isinstance(late[-1], Failed)
    assert late[-1].kind == "preempted" and "before all its hosts had left" in late[-1].reason
    assert taken_away([Stopped(37)]) == [Failed("preempted", 37, "a host of it is being drained")]
    assert taken_away([Failed("user_error", 37, "a bug")]) == [Failed("user_error", 37, "a bug")]


def test_a_death_explains_what_the_other_hosts_say():
    survivor, dead = Failed("user_error", 37, "Connection reset"), Failed("node_lost", 30, "host 1 died")
    assert verdict([survivor, dead]) == dead
    assert verdict([Stopped(37), Failed("preempted", 37, "notice")]).kind == "preempted"
    assert verdict([Stopped(37), Stopped(37)]) == Stopped(37)
