"""Faults injected into real launches: the class that each is given, the attempts that it costs, and where it ends."""

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from conftest import SCHEDULES, Study
from damage import array_file, flip
from told import rows

from scalectl.orchestrator.cluster.backends import Here, opened
from scalectl.orchestrator.cluster.base import Batch, Cluster, Report, Request
from scalectl.orchestrator.cluster.ray_actor import Seat
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.loop import News, launch
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps, Plan
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import JobState
from scalectl.trainer import writer
from scalectl.trainer.events import Failed, Progress, Started
from scalectl.trainer.spec import Job

LONG = {"schedule": SCHEDULES["linear"], "steps": "[6000]", "checkpoint_every": 500}  # one run, one job
RETRIES = 1


def unchanged(job: Job) -> Job:
    return job


def launched(
    study: Study,
    cluster: Cluster,
    hurt: Callable[[Job], Job] = unchanged,
    fault: Callable[[News], None] = lambda news: None,
    stopping: threading.Event | None = None,
    **changes: object,
) -> list[News]:
    """Launch the study on a cluster with its jobs `hurt`, and let `fault` see the news."""
    config = LaunchConfig(max_retries=RETRIES, stopping=stopping or threading.Event())
    experiment = read(study.write(**changes))
    record = known(study.store)
    with Records(study.store) as records:
        found = hurting(plan(experiment, record), hurt)
        records.plan(found, experiment)
        told = []
        for news in launch(found, records, cluster, record.checkpoints, config):
            fault(news)
            told.append(news)
    return told


class Gone(Here):
    """A place whose every job is lost."""

    started: tuple[str, ...] = ()

    def start(self, slot: str, job: Job) -> None:
        self.started = (slot,)

    def events(self, timeout: float) -> list[Report]:
        lost, self.started = self.started, ()
        return [(slot, [Failed("node_lost", 0, "the node is gone")]) for slot in lost]


def test_a_run_whose_job_was_lost_just_before_an_interrupt_is_stopped_and_not_under_way(study):
    """As where a batch system ends a cluster and the launch together."""
    stopping = threading.Event()

    def interrupt(news: News) -> None:
        if news.ended:
            stopping.set()

    with closing(Supervisor(Gone(Request()))) as cluster:
        launched(study, cluster, fault=interrupt, stopping=stopping, **LONG)
    assert ends(study) == ([("lost", "node_lost")], [("stopped", "")])


def hurting(found: Plan, hurt: Callable[[Job], Job]) -> Plan:
    return replace(found, jobs=tuple(replace(planned, job=hurt(planned.job)) for planned in found.jobs))


def ends(study: Study) -> tuple[list[Any], list[Any]]:
    """The state and kind of each attempt, and of each run."""
    return rows(study, "SELECT state, kind FROM attempts ORDER BY id"), rows(study, "SELECT state, kind FROM runs")


@dataclass
class Once:
    """Does something to the process of the first job, once it has trained."""

    act: Callable[[int], None]
    pid: int = 0

    def __call__(self, news: News) -> None:
        for event in news.events:
            if isinstance(event, Started) and not self.pid:
                self.pid = event.pid
            if isinstance(event, Progress) and self.pid > 0:
                self.act(self.pid)
                self.pid = -1


def sent(number: signal.Signals) -> Once:
    return Once(lambda pid: os.kill(pid, number))


def no_such_precision(job: Job) -> Job:
    return replace(job, trunk=replace(job.trunk, recipe=replace(job.trunk.recipe, precision="float37")))


def no_source(job: Job) -> Job:
    return replace(job, trunk=replace(job.trunk, data=replace(job.trunk.data, source="no-such-source")))


def too_wide(job: Job) -> Job:
    wide = replace(job.trunk.model, width=2 * 10**6, mlp_dim=8 * 10**6)  # 64 TB in its first kernel alone
    return replace(job, trunk=replace(job.trunk, model=wide))


def rate(lr: float, clip_norm: float) -> Callable[[Job], Job]:
    def hurt(job: Job) -> Job:
        return replace(job, trunk=replace(job.trunk, recipe=replace(job.trunk.recipe, lr=lr, clip_norm=clip_norm)))

    return hurt


@pytest.mark.parametrize(
    ("hurt", "attempts", "run"),
    [
        pytest.param(no_such_precision, [("failed", "user_error")], ("failed", "user_error"), id="raising code"),
        pytest.param(no_source, [("failed", "bad_config")], ("failed", "bad_config"), id="bad configuration"),
        pytest.param(too_wide, 2 * [("failed", "out_of_memory")], ("failed", "out_of_memory"), id="out of memory"),
        pytest.param(rate(1e38, 1.0), [("failed", "nonfinite")], ("diverged", "nonfinite"), id="loss"),
        pytest.param(rate(1e6, 1e30), [("failed", "nonfinite")], ("diverged", "nonfinite"), id="divergence"),
    ],
)
def test_a_fault_of_the_job_itself(study, hurt, attempts, run):
    with closing(opened("here")) as cluster:
        launched(study, cluster, hurt, schedule=SCHEDULES["linear"], steps="[200]")
    assert ends(study) == (attempts, [run])


@pytest.fixture
def on_ray() -> Iterator[Supervisor]:
    with closing(opened("ray", Request(slots=1), Patience(stall=12, acquire=60))) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("number", "attempt"),
    [
        pytest.param(signal.SIGKILL, ("lost", "node_lost"), id="killed"),
        pytest.param(signal.SIGSTOP, ("lost", "stalled"), id="stalled"),
        pytest.param(signal.SIGTERM, ("preempted", "preempted"), id="pre-empted"),
    ],
)
def test_a_fault_of_its_worker(study, on_ray, number, attempt):
    launched(study, on_ray, fault=sent(number), **LONG)
    assert ends(study) == ([attempt, ("done", "")], [("done", "")])
    (reached, _), (_, begun) = rows(study, "SELECT step, first_step FROM attempts ORDER BY id")
    assert begun <= reached
    if number is signal.SIGTERM:
        assert begun == reached > 0  # no step was lost


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_worker_that_crashes_leaves_its_last_words(study, on_ray):
    launched(study, on_ray, fault=sent(signal.SIGABRT), **LONG)
    assert ends(study) == ([("lost", "node_lost"), ("done", "")], [("done", "")])
    stack, _, cause = rows(study, "SELECT reason FROM attempts ORDER BY id")[0].rpartition("\n")
    assert "Fatal Python error: Aborted" in stack and ":actor_name:" not in stack
    assert cause.startswith("the worker of slot cpu-0 died: ")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_slot_that_cannot_be_had(study):
    with closing(opened("ray", Request(slots=1), Patience(stall=600, acquire=2))) as cluster:
        hog = cluster.backend._ray.remote(num_cpus=1)(Seat).remote()
        cluster.backend._ray.get(hog.node.remote())
        launched(study, cluster, **LONG)
    assert ends(study) == (2 * [("failed", "no_capacity")], [("failed", "no_capacity")])
    (reason,) = set(rows(study, "SELECT reason FROM runs"))
    assert "it needs 1 CPU, and of 1 in the cluster 0 are free" in reason


TRUNK = {"steps": "[20, 40]", "checkpoint_every": 5}


def result(study: Study) -> list[Any]:
    return rows(study, "SELECT id, state, digest FROM runs ORDER BY id")


@pytest.fixture
def whole(tmp_path_factory) -> Study:
    made = Study(tmp_path_factory.mktemp("whole"))
    with closing(opened("here")) as cluster:
        launched(made, cluster, **TRUNK)
    return made


def test_a_branch_point_that_is_damaged_is_made_again_in_the_same_launch(study, whole):
    def damage(news: News) -> None:
        if news.state is JobState.DONE and news.job.job.stop == 16 and not damaged:
            damaged.append(rows(study, "SELECT path FROM checkpoints WHERE kept")[0])
            flip(array_file(damaged[0]))

    damaged: list[str] = []
    with closing(opened("here")) as cluster:
        launched(study, cluster, fault=damage, **TRUNK)
    assert result(study) == result(whole) and len(damaged) == 1
    attempts = rows(
        study, "SELECT attempts.state, attempts.kind, first_step, start, stop FROM attempts JOIN jobs ON jobs.id = job"
    )
    assert attempts[1][:2] == ("failed", "checkpoint_corrupt")
    assert attempts[2] == ("done", "", 15, 0, 16)  # from the rolling checkpoint before the damaged one


def test_a_branch_point_damaged_between_launches_is_made_again(study, whole):
    with closing(opened("here")) as cluster:
        launched(study, cluster, **TRUNK | {"steps": "[20]"})
        (path,) = rows(study, "SELECT path FROM checkpoints WHERE kept AND run IS NULL")
        flip(array_file(path))
        launched(study, cluster, **TRUNK)
    assert result(study) == result(whole)


class Dying(Here):
    """A slot whose job is lost just when it was asked to stop."""

    def events(self, timeout: float) -> list[Batch]:
        found = super().events(timeout)
        return [(slot, [Failed("node_lost", batch[-1].step, "gone")]) for slot, batch in found]


def test_a_job_that_is_lost_after_its_runs_were_asked_to_stop_is_stopped(study, monkeypatch):
    def asked(records: Records) -> frozenset[str]:
        return frozenset(rows(study, "SELECT id FROM runs WHERE EXISTS (SELECT * FROM attempts)"))  # once it runs

    monkeypatch.setattr(Records, "stop_requests", asked)
    with closing(Supervisor(Dying(Request()))) as cluster:
        launched(study, cluster, schedule=SCHEDULES["linear"], steps="[200]")
    assert ends(study) == ([("lost", "node_lost")], [("stopped", "")])
    assert rows(study, "SELECT reason FROM runs") == ["asked to stop"]


def broken(head: str) -> Callable[[Job], Job]:
    return lambda job: no_such_precision(job) if job.trunk.recipe.head == head else job


SHAPES = {"schedule": SCHEDULES["linear"], "steps": "[8]"}


def test_a_shape_whose_first_job_fails_for_certain_waits_and_others_go_on(study):
    changes = SHAPES | {"seeds": "[0, 1, 2], sweep: {head: [map, gap]}"}
    with closing(opened("here")) as cluster:
        news = launched(study, cluster, broken("gap"), **changes)
        found = rows(study, "SELECT head, state, kind, count(*) FROM runs GROUP BY head, state ORDER BY head, state")
        assert found == [("gap", "failed", "user_error", 1), ("gap", "stopped", "", 2), ("map", "done", "", 3)]
        assert any("float37" in one.pause for one in news)
        reasons = rows(study, "SELECT DISTINCT reason FROM runs WHERE state = 'stopped'")
        assert len(reasons) == 1 and reasons[0].startswith("paused: user_error: ") and "float37" in reasons[0]
        launched(study, cluster, **changes)
    assert rows(study, "SELECT DISTINCT state FROM runs") == ["done"]


def test_three_first_jobs_that_fail_alike_pause_the_study(study):
    with closing(opened("here")) as cluster:
        launched(
            study, cluster, no_such_precision, **SHAPES | {"seeds": "[0, 1], sweep: {batch_size: [8, 16, 24, 32]}"}
        )
    assert len(rows(study, "SELECT id FROM attempts")) == 3
    assert rows(study, "SELECT state, count(*) FROM runs GROUP BY state") == [("failed", 3), ("stopped", 5)]
    last = rows(study, "SELECT text FROM events WHERE what = 'paused' ORDER BY id")[-1]
    assert last.startswith("the study, because the first 3 jobs failed alike: user_error: ")


def test_a_full_disk_pauses_the_study_in_the_middle(study, monkeypatch):
    """Each of the others trained to its next checkpoint, to fail there."""
    whole, saved = writer.save, []

    def save(folder, *rest):
        saved.append(folder)
        if len(saved) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(folder, *rest)

    monkeypatch.setattr(writer, "save", save)
    experiment = read(study.write(**SHAPES | {"seeds": "[0, 1, 2, 3, 4]"}))
    outcome = carry_out(experiment, Caps(), backend="here")
    assert rows(study, "SELECT state, kind, count(*) FROM runs GROUP BY state ORDER BY state") == [
        ("done", "", 2),
        ("failed", "disk_full", 1),
        ("stopped", "", 2),
    ]
    text = outcome.text(study.file, str(study.store))
    assert outcome.exit is Exit.FAILED and f": No space left on device. Checkpoints go to {saved[-1]}\n" in text
    assert f"Next: mend that, then scalectl launch {study.file}" in text
    monkeypatch.undo()
    assert carry_out(experiment, Caps(), backend="here").done == 5


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_worker_killed_for_its_memory(study, monkeypatch):
    """Ray's memory monitor kills what runs as soon as any memory is in use."""
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.01")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "250")
    with closing(opened("ray", Request(slots=1))) as cluster:
        launched(study, cluster, **LONG | {"steps": "[1000000]"})
    assert ends(study) == (2 * [("failed", "out_of_memory")], [("failed", "out_of_memory")])


def test_a_paused_launch_exits_with_1_and_names_the_cause(study, monkeypatch):

    def torn(spec):
        raise OSError("disk on fire")

    monkeypatch.setattr("scalectl.trainer.data.batches.load", torn)
    experiment = read(study.write(**SHAPES | {"seeds": "[0, 1, 2]"}))
    outcome = carry_out(experiment, Caps(), backend="here")
    assert outcome.exit is Exit.FAILED
    text = outcome.text(study.file, str(study.store))
    assert "0 of 3 runs done" in text and "1 failed, 2 stopped" in text
    assert "Paused: jobs of shape 8x1x32h2p4" in text and "user_error: OSError: disk on fire" in text


def test_a_launch_that_divergence_pauses_exits_with_1_as_any_that_is_paused(study):
    file = study.write(**SHAPES | {"seeds": "[0, 1, 2, 3, 4]"})
    file.write_text(file.read_text().replace("lr: 3e-3", "lr: 1e30"))
    outcome = carry_out(read(file), Caps(), backend="here")
    assert dict(outcome.states) == {"diverged": 3, "stopped": 2}
    assert outcome.exit is Exit.FAILED
    assert "Paused: the study, because the first 3 jobs failed alike: nonfinite: " in outcome.text(file, "")
