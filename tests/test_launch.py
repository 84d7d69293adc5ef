"""Whole launches in this process: what they write, share, resume and settle."""

import itertools
import sqlite3
import threading
from contextlib import closing

import pandas as pd
import pytest
from conftest import SCHEDULES, Study
from damage import array_file, flip
from told import from_scratch, planning, rows

from scalectl.orchestrator.cluster.backends import Here, opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.ledger import Meter
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan import planner
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.simulator import simulate
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.lock import Locked
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.requests import ask_to_stop
from scalectl.orchestrator.vocabulary import Slot
from scalectl.trainer.events import Checkpoint, Progress, Skipped, Started
from scalectl.trainer.flops import training_flops
from scalectl.trainer.train import train

MEASURED = ["device_seconds", "core_days", "images_per_second", "flops_per_second", "mfu"]  # by the clock


def launched(study, stop_after: int | None = None, meter=None, listeners=(), cluster=None, **changes):
    """Launch the study here or on a cluster; `stop_after` asks it to stop after that many pieces of news."""
    experiment = read(study.write(**changes))
    record, stopping = known(study.store), threading.Event()
    with closing(cluster or opened("here")) as cluster, Records(study.store) as records:
        found = plan(experiment, record)
        records.plan(found, experiment)
        news = []
        config = LaunchConfig(
            max_retries=experiment.limits.retries,
            stopping=stopping,
            meter=meter or Meter(Caps()),
            listeners=listeners,
        )
        for one in launch(found, records, cluster, record.checkpoints, config):
            news.append(one)
            if stop_after is not None and len(news) >= stop_after:
                stopping.set()
    return news


def points(study) -> pd.DataFrame:
    found = pd.read_sql_table("points", f"sqlite:///{study.store}").sort_values("run", ignore_index=True)
    return found.drop(columns=MEASURED)


def test_every_run_ends_with_every_metric(study):
    launched(study, steps="[20, 40]", shots="[1, 5]")
    found = points(study)
    assert list(found["state"]) == ["done", "done"]
    metrics = [name for name in found.columns if "/" in name]
    assert len(metrics) == 4 and found[metrics].notna().all(axis=None)


def test_what_a_listener_hears_is_in_the_store(study):
    class Reader:
        def take(self, news: News) -> None:
            (state,) = rows(study, "SELECT state FROM attempts ORDER BY id DESC LIMIT 1")
            heard.append((news.state, state))

    heard: list[tuple[str, str]] = []
    news = launched(study, steps="[20]", listeners=[Reader()])
    assert len(heard) == len(news) and heard[0] == ("running", "starting") and heard[-1] == ("done", "done")
    assert all(attempt in (job, "starting") for job, attempt in heard)


@pytest.mark.slow
def test_fine_tuning_is_measured_later_without_training_again(study):
    launched(study, steps="[20]")
    before = points(study)
    launched(study, steps="[20]", extra="  finetune: {dataset: digits, steps: 3, batch_size: 16, resolution: 12}")
    after = points(study)
    pd.testing.assert_frame_equal(after[before.columns], before)
    assert 0 < after["finetune/digits/error"].item() < 1


@pytest.mark.slow
def test_rates_and_horizons_share_the_programs_of_their_shape_and_the_store_counts_them(study, monkeypatch):
    """2 widths x 2 rates x 3 horizons: first weights, step and reading are compiled for each width and for no other."""
    from scalectl.trainer import kept

    monkeypatch.setattr(kept, "_kept", {})
    text = study.write(steps="[20, 30, 40]").read_text()
    text = text.replace("models:\n", "models:\n  nano: {width: 12, depth: 1, num_heads: 2, patch_size: 4}\n")
    study.write = lambda **_: study.file
    for rate in ("3e-3", "1e-3"):
        study.file.write_text(text.replace("lr: 3e-3", f"lr: {rate}"))
        launched(study)
    attempts = pd.read_sql_table("attempts", f"sqlite:///{study.store}")
    assert len(points(study)) == 12 and attempts["compilations"].sum() == 2 * 3
    assert (attempts["compile_seconds"] > 0).sum() < 2 * 3 + 1


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_a_trunk_with_cooldowns_equals_runs_from_scratch_bit_for_bit(study, tmp_path, schedule):
    launched(study, steps="[20, 40, 60]", schedule=schedule)
    experiment = read(study.file)
    found = points(study).set_index("run")
    for job in (job for job in plan(experiment).jobs if job.job.run):
        *_, end = events = list(train(from_scratch(job.job, str(tmp_path / job.id))))
        alone = {event.metric: event.value for event in events if hasattr(event, "metric")}
        assert end.digest == found.loc[job.id, "digest"]
        assert alone == {name: found.loc[job.id, name] for name in alone}


def test_a_study_whose_newest_checkpoint_is_damaged_ends_as_if_it_were_not(study, tmp_path):
    whole = Study(tmp_path / "whole")
    whole.folder.mkdir()
    launched(whole, steps="[100]", checkpoint_every=20)
    job = plan(read(study.write(steps="[100]", checkpoint_every=20))).jobs[0].job
    for event in train(job):
        if isinstance(event, Checkpoint) and event.step == 60:
            break
    flip(array_file(event.path))
    launched(study, steps="[100]", checkpoint_every=20)
    pd.testing.assert_frame_equal(points(study), points(whole))
    (warning,) = rows(study, "SELECT text FROM events WHERE what = 'warning'")
    assert f"{event.path}.corrupt" in warning
    on_disk = [str(path.parent) for path in study.folder.glob("artifacts/*/**/notes") if ".corrupt" not in str(path)]
    assert sorted(rows(study, "SELECT path FROM checkpoints")) == sorted(on_disk)


def test_a_study_that_grew_trains_only_what_is_new(study):
    launched(study, steps="[20, 40]")
    before = points(study)
    news = launched(study, steps="[20, 40, 80]")
    assert [(one.job.job.start, one.job.job.stop) for one in news if not one.events] == [(32, 64), (64, 80)]
    pd.testing.assert_frame_equal(points(study).merge(before[["run"]]), before)


def test_stopped_at_any_moment_it_goes_on_to_the_same_points(study, tmp_path_factory):
    from conftest import Study

    whole = Study(tmp_path_factory.mktemp("whole"))
    launched(whole, steps="[20, 40]")
    for after in (1, 2, 4):
        launched(study, stop_after=after, steps="[20, 40]")
    launched(study, steps="[20, 40]")
    pd.testing.assert_frame_equal(points(study), points(whole))


def test_a_launch_follows_the_simulated_order(study):
    changes = {"sizes": "[60, 90]", "steps": "[10, 20]"}
    simulated = simulate(plan(read(study.write(**changes))).jobs, [Slot("here")])
    assert [one.job.id for one in launched(study, **changes) if not one.events] == [
        life.job.id for life in simulated.lives
    ]


def test_a_cap_on_flops_stops_jobs_at_checkpoints_and_is_the_reason(study):
    whole = plan(read(study.write(steps="[20, 40]"))).flops
    meter = Meter(Caps(max_flops=whole / 2))
    launched(study, meter=meter, steps="[20, 40]")
    found = points(study)
    assert whole / 2 <= meter.flops < whole and set(found["state"]) == {"stopped"}
    with closing(sqlite3.connect(study.store)) as store, store:
        reasons = {reason for (reason,) in store.execute("SELECT reason FROM runs")}
    assert reasons == {f"limits.max_flops is reached: {whole / 2:.1e} FLOPs"}
    launched(study, steps="[20, 40]")
    assert set(points(study)["state"]) == {"done"}


def test_steps_that_a_damaged_checkpoint_held_count_again_for_a_cap(study):
    job = plan(read(study.write(steps="[40]"))).jobs[0]
    meter = Meter(Caps())
    begun = (Skipped(20, "/20", "damaged"), Started(10, "host", 37, "cpu", "{}"))
    for events in ((), begun, (Progress(30, 1.0, 1e-3, 1.0, 37.0, 37.0),)):
        meter.take(News("cpu-0", job, events))
    assert meter.flops == training_flops(job.job.trunk, 30 - 10)


def test_a_cap_on_device_hours_is_measured_by_the_clock(study):
    ticks = itertools.count(0, 3600)
    meter = Meter(Caps(max_device_hours=3.7, hours_key="--max-device-hours"), clock=lambda: float(next(ticks)))
    launched(study, meter=meter)
    assert meter.reached() == "--max-device-hours is reached: 3.7 device-hours"
    assert "stopped" in set(points(study)["state"])


def test_a_cap_on_device_hours_counts_the_devices_that_the_file_states(study):
    eight = "resources: {default: {device: gpu, devices: 8}}\n"
    job = plan(read(study.write(extra=eight))).jobs[0]
    ticks = itertools.count(0, 3600)
    meter = Meter(Caps(), clock=lambda: float(next(ticks)))
    meter.take(News("gpu-0", job, slot_type="gpu"))
    assert meter.device_hours == 8.0


COSTLY = "resources: {default: {peak_flops: 37}}\n"  # a plan of years


def test_a_launch_plans_once_and_holds_its_store_from_then_on(study, monkeypatch):
    """What is agreed to is what is carried out: no other launch comes between the question and the start."""
    questions, plans, genuine = [], [], planner.plan

    def counted(*given):
        plans.append(genuine(*given))
        return plans[-1]

    def agree(question: str) -> bool:
        questions.append(question)
        with pytest.raises(Locked):
            Records(study.store)
        return True

    monkeypatch.setattr(planner, "plan", counted)
    outcome = carry_out(read(study.write(extra=COSTLY)), Caps(), backend="here", agree=agree)
    assert (len(plans), len(questions), outcome.done) == (1, 1, 2)


def test_a_launch_that_is_not_agreed_to_leaves_nothing_and_lets_the_next_one_in(study):
    text = study.write(extra=COSTLY).read_text()
    study.file.write_text(text.replace("store: results.db", "store: new/folder/results.db"))
    experiment = read(study.file)
    with pytest.raises(Refusal, match="Nothing was started"):
        carry_out(experiment, Caps(), backend="here", agree=lambda question: False)
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]
    assert carry_out(experiment, Caps(), backend="here").done == 2


def test_a_launch_of_a_file_with_another_recipe_says_so_before_it_trains(study, capfd):
    planning(study, steps="[20]")[0].close()
    file = study.write(steps="[20, 40]")
    file.write_text(file.read_text().replace("lr: 3e-3", "lr: 1e-3"))
    carry_out(read(file), Caps(), backend="here")
    said = capfd.readouterr().err
    assert "warning   the new runs differ from earlier ones of the study in lr (0.001, before 0.003)" in said


def test_a_stop_is_recorded(study):
    launched(study, stop_after=1)
    assert "stopped" in set(points(study)["state"])


class Deaf(Here):
    """A place whose job is past its last step when it is asked to stop."""

    def stop(self, slot: str) -> None:
        pass


def test_a_stretch_that_ended_before_it_heard_leaves_its_runs_stopped(study):
    experiment = read(study.write(steps="[20]"))
    with closing(Supervisor(Deaf(Request()))) as cluster, Records(study.store) as records:
        found = plan(experiment)
        records.plan(found, experiment)
        for _ in launch(found, records, cluster, {}, LaunchConfig()):
            ask_to_stop(study.store, [run.id for run in found.runs])
    assert rows(study, "SELECT state, reason FROM runs") == [("stopped", "asked to stop")]
    assert rows(study, "SELECT state FROM attempts") == ["done"]


def test_a_loss_that_is_not_finite_makes_the_runs_diverged_and_is_not_tried_again(study):
    text = study.write()
    diverging = text.read_text().replace("lr: 3e-3, clip_norm: 1.0", "lr: 1e38, clip_norm: 1.0")
    study.write = lambda **_: text
    text.write_text(diverging)
    launched(study)
    assert set(points(study)["state"]) == {"diverged"}
    again = carry_out(read(study.file), Caps(), backend="here")
    said = again.text(study.file, str(study.store))
    assert said.startswith("0 of 2 runs done; nothing was missing, 2 diverged") and not again.exit
    assert launched(study) == []


def test_a_failed_trunk_fails_the_runs_that_need_it_and_no_others(study, monkeypatch):
    from scalectl.trainer.data import batches

    launched(study, sizes="[60]")
    genuine = batches.load

    def torn(spec):
        if spec.size == 90:
            raise OSError("disk on fire")
        return genuine(spec)

    monkeypatch.setattr(batches, "load", torn)
    launched(study, sizes="[60, 90]")
    found = points(study).set_index("data_size")["state"]
    assert set(found.loc[60]) == {"done"} and set(found.loc[90]) == {"failed"}
