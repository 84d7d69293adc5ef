"""What a job in the launching process hears of requests to stop, whatever was asked before it."""

import threading

import pytest
from told import planning

from scalectl.orchestrator.launch import requested
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.requested import Requested
from scalectl.orchestrator.store.requests import ask_to_stop


@pytest.fixture
def begun(study, monkeypatch):
    """Records of a plan, and a stop that looks at them each time."""
    monkeypatch.setattr(requested, "_SECONDS", -1.0)
    records, plan = planning(study)
    with records:
        stop = Requested(threading.Event(), study.store, {run.id: run.name for run in plan.missing})
        stop.records = records
        yield records, plan, stop


def test_a_job_stops_once_all_that_it_is_for_was_asked_to_in_one_request_or_in_several(begun):
    records, plan, stop = begun
    trunk = next(job for job in plan.jobs if len(job.runs) == 2)
    assert not stop.is_set()
    stop.take(News("here", trunk))
    first, second = trunk.runs
    ask_to_stop(records.path, [first])
    assert not stop.is_set()
    assert records.stop_requests() == {first}  # the loop has taken it
    ask_to_stop(records.path, [second])
    assert stop.is_set() and records.stop_requests() == {second}


def test_of_a_plan_most_of_which_is_done_the_last_job_alone_counts(begun):
    records, plan, stop = begun
    last = next(job for job in plan.jobs if job.is_cooldown)
    stop.take(News("here", last))
    ask_to_stop(records.path, last.runs)
    assert stop.is_set()
    other = next(job for job in plan.jobs if not set(job.runs) <= set(last.runs))
    stop.take(News("here", other))
    assert not stop.is_set()
