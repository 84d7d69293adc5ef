"""What failures mean, kind by kind."""

import threading

import pytest

from scalectl.orchestrator.cluster.worker import stream
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.retries import LOSSES, Failures
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Failed


@pytest.fixture
def job(study):
    return plan(read(study.write())).jobs[0]


def states(failures, job, kind, times):
    return [failures.judge(job, Failed(kind, 37, "why")) for _ in range(times)]


@pytest.mark.parametrize("kind", ["out_of_memory", "stalled", "no_capacity", "checkpoint_corrupt"])
def test_some_kinds_are_tried_again_as_often_as_the_limit_says(job, kind):
    assert states(Failures(2), job, kind, 3) == ["retried", "retried", "failed"]


@pytest.mark.parametrize("kind", ["user_error", "bad_config", "disk_full"])
def test_what_is_deterministic_runs_once(job, kind):
    assert states(Failures(2), job, kind, 1) == ["failed"]


@pytest.mark.parametrize("kind", ["node_lost", "preempted"])
def test_losses_do_not_count_while_the_job_comes_forward(job, kind):
    failures = Failures(0)
    for step in range(100, 2000, 100):
        assert states(failures, job, kind, LOSSES - 1) == (LOSSES - 1) * ["retried"]
        failures.reach(job, step)
    failures.reach(job, step)  # told again by the next attempt: nothing new
    assert states(failures, job, kind, LOSSES) == (LOSSES - 1) * ["retried"] + ["failed"]


def test_a_job_lost_and_preempted_by_turns_without_a_step_fails(job):
    failures = Failures(0)
    kinds = ["node_lost", "preempted", "node_lost", "preempted", "node_lost"]
    assert [failures.judge(job, Failed(kind, 0, "")) for kind in kinds] == 4 * ["retried"] + ["failed"]


CRASH = "F1128 18:05:{0} 67{0} flags.cc:234] Unknown flag: --x\nthe worker of slot cpu-0 died: it is dead"


def test_a_worker_that_crashes_twice_alike_is_not_tried_a_third_time(job):
    failures = Failures(0)
    ends = [Failed("node_lost", 0, CRASH.format(second)) for second in (37, 41)]
    assert [failures.judge(job, end) for end in ends] == ["retried", "failed"]


def test_workers_that_crash_at_other_steps_or_with_other_words_are(job):
    failures = Failures(0)
    ends = [(0, CRASH), (16, CRASH), (16, CRASH.replace("--x", "--y")), (16, "killed")]
    assert {failures.judge(job, Failed("node_lost", step, reason)) for step, reason in ends} == {"retried"}


def test_a_shape_that_works_is_not_held_back(job):
    failures = Failures(0)
    failures.done(job)
    assert failures.pause(job, Failed("user_error", 0, "torn")) == "" and not failures.held


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 65.93G", "out_of_memory"),
        ("RESOURCE_EXHAUSTED: Error writing 'd/1': [OS error 28: ENOSPC No space left on device]", "disk_full"),
        ("[Errno 122] Disk quota exceeded", "disk_full"),
    ],
)
def test_a_full_disk_is_no_lack_of_memory(job, monkeypatch, said, kind):
    def train(job, stopping):
        raise ValueError(said)
        yield

    monkeypatch.setattr("scalectl.trainer.train.train", train)
    (batch,) = stream(job.job, threading.Event())
    assert batch[-1].kind == kind and said in batch[-1].reason
    assert (job.job.folder in batch[-1].reason.splitlines()[-1]) == (kind == "disk_full")
