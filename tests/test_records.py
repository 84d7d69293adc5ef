"""What the record makes of what is told: once, twice, in part, not finite, and by several launches and studies."""

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from conftest import Study
from told import (
    SECONDS_A_STEP,
    TEST_IMAGES,
    checkpoint,
    everything,
    planned,
    planned_again,
    planning,
    progress,
    rows,
    started,
    told,
    write,
)

from scalectl import analysis
from scalectl.analysis.runs import usable
from scalectl.analysis.store import images_of, metrics
from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.export.targets import export_all
from scalectl.orchestrator.launch.pruning import prune
from scalectl.orchestrator.report.fits import held_out_runs, study_points
from scalectl.orchestrator.revision import revision
from scalectl.orchestrator.store import intake
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Done, Failed, Measurement, Noticed, Skipped, Started, Stopped
from scalectl.trainer.flops import training_flops


def points(study: Study) -> pd.DataFrame:
    return pd.read_sql_table("points", f"sqlite:///{study.store}").sort_values("run", ignore_index=True)


def test_a_batch_told_twice_changes_nothing(study, begun):
    records, found = begun
    for job in found.jobs:
        attempt, events = records.start(job, "here"), told(job)
        for batch in (events[:5], events[5:7], events[7:]):
            records.write(attempt, batch)
            once = everything(study)
            records.write(attempt, batch)
            assert everything(study) == once
    assert rows(study, "SELECT state FROM runs") == ["done", "done"]


def launch(study: Study, transactions: int | None = None) -> None:
    """Launch what is missing, and end without a word after so many transactions; to the store that is kill -9."""

    def each() -> Iterator[None]:
        for job in found.jobs:
            attempt, events = records.start(job, "here"), told(job)
            yield
            for batch in (events[:5], events[5:-1], events[-1:]):
                yield records.write(attempt, batch)

    records, found = planning(study, steps="[20, 40]")
    list(islice(each(), transactions))
    records.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = Study(tmp_path_factory.mktemp("whole"))
    launch(made)
    return made


@pytest.mark.parametrize("after", range(0, 16, 3))  # of 16, each job having 4
def test_killed_between_any_two_transactions_a_study_ends_the_same(study, whole, after):
    launch(study, after)
    launch(study)
    pd.testing.assert_frame_equal(points(study), points(whole))
    for query in ("SELECT * FROM curves ORDER BY run, step", "SELECT * FROM observations ORDER BY run, metric"):
        assert rows(study, query) == rows(whole, query)
    assert not rows(study, "SELECT 1 FROM attempts WHERE state IN ('starting', 'running') OR ended IS NULL")


def test_what_a_killed_launcher_left_running_is_buried(study, begun):
    records, found = begun
    write(records, found.jobs[:2])
    records.write(records.start(found.jobs[2], "here"), [started(16), progress(17)])
    records.start(found.jobs[3], "there")
    records.close()
    again, found = planning(study, steps="[20, 40]")
    again.close()
    assert rows(study, "SELECT state, reason FROM attempts WHERE state != 'done'") == [
        ("lost", "its launcher ended"),
        ("lost", "its launcher ended"),
    ]
    assert rows(study, "SELECT DISTINCT state, reason FROM runs") == [("planned", "goes on: it was running")]
    assert [job.job.run is None for job in found.jobs] == [False, False]


def test_a_loss_that_is_not_finite_is_null_and_the_state_says_why(study, begun):
    records, found = begun
    attempt = records.start(found.jobs[0], "here")
    records.write(attempt, [started(), progress(1), progress(2, math.nan), Failed("nonfinite", 2, "loss is nan")])
    records.settle(found.jobs[0].runs, "diverged", "nonfinite", "loss is nan")
    assert rows(study, "SELECT loss FROM progress ORDER BY step") == [1.37, None]
    assert rows(study, "SELECT state, kind, reason FROM runs") == [("diverged", "nonfinite", "loss is nan")] * 2
    assert planned(study, steps="[20, 40]").jobs == ()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_is_null_and_not_measured_again(study, begun, value):
    records, found = begun
    write(records, found.jobs, value)
    assert points(study)["upstream/error"].isna().all()
    assert planned(study, steps="[20, 40]").missing == ()


@pytest.mark.parametrize("done", [False, True])
def test_pandas_reads_each_column_with_its_type(study, begun, done):
    records, found = begun
    write(records, found.jobs if done else [])
    types = points(study).dtypes.astype(str)
    if not done:  # whole numbers of which none is known yet have no type of pandas' own
        assert types.pop("test_images") == "object" and str(analysis.read(study.store)["test_images"].dtype) == "Int64"
    names = ["params", "data_size", "steps", "flops", "device_seconds", "core_days", "upstream/error", "excluded"]
    assert list(types[names]) == ["int64"] * 3 + ["float64"] * 4 + ["bool"]
    assert set(types) == {"int64", "float64", "bool", points(study)["run"].dtype.name}
    curves = pd.read_sql_table("curves", f"sqlite:///{study.store}").dtypes.astype(str)
    assert list(curves[["step", "loss", "images_seen", "flops"]]) == ["int64", "float64", "int64", "float64"]


def test_a_new_metric_adds_a_column(study, begun):
    records, found = begun
    write(records, found.jobs)
    before = list(points(study).columns)
    records.write(records.start(found.jobs[3], "here"), [Measurement("moons/37shot/error", 40, 0.37, "{}", 37)])
    after = points(study).set_index("steps")
    assert list(points(study).columns) == [*before, "moons/37shot/error"]
    assert after.loc[40, "moons/37shot/error"] == 0.37 and pd.isna(after.loc[20, "moons/37shot/error"])


def test_the_test_images_of_a_metric_are_those_that_it_was_measured_on(study, begun):
    records, found = begun
    write(records, found.jobs)
    before = analysis.read(study.store)
    assert list(before["test_images"]) == [TEST_IMAGES] * 2 and "moons/error/test_images" not in before
    records.write(records.start(found.jobs[3], "here"), [Measurement("moons/error", 40, 0.37, "{}", 37)])
    after = analysis.read(study.store).set_index("steps")
    assert after.loc[20, "test_images"] == TEST_IMAGES and after.loc[40, "test_images"] is pd.NA
    assert after["moons/error/test_images"].dropna().to_dict() == {40: 37}
    assert images_of(after, "moons/error").to_dict() == {20: TEST_IMAGES, 40: 37}
    assert images_of(after, "upstream/error").to_dict() == {20: TEST_IMAGES, 40: TEST_IMAGES}
    assert usable(after.reset_index(), "moons/error")["test_images"].tolist() == [37]
    assert metrics(after) == [*metrics(before), "moons/error"]
    bare = after.reset_index()
    bare.attrs.clear()
    assert metrics(bare) == metrics(after)


def test_a_curve_is_its_trunk_up_to_the_branch_and_then_its_cooldown(study, begun):
    records, found = begun
    write(records, found.jobs)
    for run in found.runs:
        curve = rows(study, f"SELECT step, flops FROM curves WHERE run = '{run.id}' ORDER BY step")
        assert curve == [(n, training_flops(run.spec.trunk, n)) for n in range(1, run.spec.steps + 1)]
    own = f"SELECT step FROM progress JOIN runs ON run = number WHERE id = '{found.runs[0].id}' ORDER BY step"
    assert rows(study, own) == [17, 18, 19, 20]


def test_a_resumed_attempt_overwrites_the_rows_that_it_repeats(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[0], "here"), [started(), *(progress(n, 37.0) for n in range(1, 13))])
    records.write(records.start(found.jobs[0], "here"), told(found.jobs[0], start=8))
    losses = dict(rows(study, "SELECT step, loss FROM progress"))
    assert [n for n, loss in losses.items() if loss > 37] == list(range(1, 9)) and len(losses) == 16


def test_an_attempt_is_charged_with_its_own_steps_only(study, begun):
    records, found = begun
    job = found.jobs[0]
    records.write(records.start(job, "here"), [started(), progress(5), checkpoint(job, 10, kept=False), Stopped(10)])
    records.write(records.start(job, "here"), told(job, start=10))
    spent = rows(study, "SELECT first_step, step, flops, device_seconds FROM attempts")
    a_step = training_flops(job.job.trunk, 1)
    assert spent == [
        (0, 10, 10 * a_step, 10 * SECONDS_A_STEP),
        (10, 16, 6 * a_step, 6 * SECONDS_A_STEP),
    ]
    assert known(study.store).speeds == {job.shape: {"cpu": pytest.approx(a_step / SECONDS_A_STEP)}}


def test_speeds_are_told_apart_by_the_type_of_slot_the_one_that_ran_last_at_the_end(study, begun):
    records, found = begun
    job, faster = found.jobs[0], 37.0
    for slot, kind, seconds in (
        ("v5e-16/1", "v5e-16", SECONDS_A_STEP / faster),
        ("cpu-1", "cpu", SECONDS_A_STEP),
        ("cpu-4/0", "cpu-4", 1.0),
    ):
        ends = [checkpoint(job, step, kept=False) for step in (4, 10)]
        timed = [replace(one, device_seconds=seconds * one.step) for one in ends]
        records.write(records.start(job, slot, kind), [started(), *timed, Stopped(10)])
    a_step = training_flops(job.job.trunk, 1)
    (speeds,) = known(study.store).speeds.values()
    assert list(speeds) == ["v5e-16", "cpu", "cpu-4"]
    assert speeds["v5e-16"] == pytest.approx(faster * speeds["cpu"]) == pytest.approx(faster * a_step / SECONDS_A_STEP)


def test_of_rolling_checkpoints_the_newest_two_are_remembered_as_they_are_on_disk(study, begun):
    records, found = begun
    job = found.jobs[0]
    attempt = records.start(job, "here")
    for step, left in ((4, [4]), (8, [4, 8]), (12, [8, 12])):
        records.write(attempt, [checkpoint(job, step, kept=False)])
        assert rows(study, "SELECT step FROM checkpoints ORDER BY step") == left
    records.write(attempt, [checkpoint(job, 16, kept=True)])
    assert rows(study, "SELECT step, kept FROM checkpoints ORDER BY step") == [(12, 0), (16, 1)]


def test_branch_points_and_ends_stay_whatever_comes_after_them(study, begun):
    records, found = begun
    write(records, found.jobs)
    write(records, found.jobs[:1])
    kept = "SELECT job, step FROM checkpoints WHERE kept ORDER BY job"
    assert rows(study, kept) == sorted((job.id, job.job.stop) for job in found.jobs)


def test_a_checkpoint_told_late_does_not_set_an_attempt_back(study, begun):
    records, found = begun
    job = found.jobs[0]
    attempt = records.start(job, "here")
    records.write(attempt, [started(), progress(9), checkpoint(job, 8, kept=False)])
    assert rows(study, "SELECT step FROM attempts") == [9]
    records.write(attempt, [progress(13)])
    records.write(attempt, [checkpoint(job, 12, kept=False)])
    a_step = training_flops(job.job.trunk, 1)
    assert rows(study, "SELECT step, flops FROM attempts") == [(13, 13 * a_step)]


def test_a_damaged_checkpoint_is_forgotten_with_a_warning(study, begun):
    records, found = begun
    job = found.jobs[0]
    attempt = records.start(job, "here")
    made = [checkpoint(job, step, kept=False) for step in (4, 8)]
    records.write(attempt, made)
    records.write(records.start(job, "here"), [Skipped(8, made[1].path, "checkpoint 8 can't be used: torn")])
    assert rows(study, "SELECT step FROM checkpoints") == [4]
    (text,) = rows(study, "SELECT text FROM events WHERE what = 'warning'")
    assert job.job.name in text and "8 can't be used: torn" in text


def test_what_a_job_notices_of_its_images_is_a_warning_of_the_store(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[0], "here"), [Noticed(0, "5 pictures are equal")])
    (text,) = rows(study, "SELECT text FROM events WHERE what = 'warning'")
    assert text == f"{found.jobs[0].job.name}: 5 pictures are equal"
    assert "5 pictures are equal" in Store(study.store).status().to_json()["events"][-1]["text"]


def test_a_kept_checkpoint_that_is_not_on_disk_is_trained_again(study, begun):
    records, found = begun
    write(records, found.jobs[:2])
    shutil.rmtree(found.jobs[0].job.folder)
    assert [(job.job.start, job.job.stop) for job in planned(study, steps="[20, 40]").jobs] == [
        (0, 16),
        (16, 20),
        (32, 40),
    ]


def test_news_that_the_record_does_not_know_is_an_error_and_leaves_nothing_behind(study, begun):
    records, found = begun
    attempt = records.start(found.jobs[0], "here")
    with pytest.raises(AssertionError, match="Breather"):
        records.write(attempt, [started(), progress(3), Breather(3)])
    assert rows(study, "SELECT count(*) FROM progress") == [0]


@dataclass(frozen=True)
class Breather:
    """An event of a trainer to come."""

    step: int


def test_a_verdict_leaves_what_is_done(study, begun):
    records, found = begun
    write(records, found.jobs[:3])
    records.settle([run.id for run in found.runs], "failed", "stalled", "nothing for 37 s")
    assert rows(study, "SELECT state, kind FROM runs") == [("done", ""), ("failed", "stalled")]
    assert planned(study, steps="[20, 40]").runs[1].reason == "retry after failed (stalled)"


def test_jobs_that_never_began_give_way_to_those_of_the_new_plan(study, begun):
    begun[0].close()
    records, found = planning(study, steps="[20, 30, 40]")
    records.close()
    assert rows(study, "SELECT id FROM jobs ORDER BY id") == sorted(job.id for job in found.jobs)


def test_a_job_that_is_planned_again_says_so(study, begun):
    records, found = begun
    write(records, found.jobs)
    records.close()
    records, found = planning(study, steps="[20, 40]", shots="[1, 5]")
    records.close()
    states = dict(rows(study, "SELECT id, state FROM jobs"))
    assert {states[job.id] for job in found.jobs} == {"planned"} and len(states) == 4


def test_a_run_that_left_the_file_stays_in_the_study(study, begun):
    records, found = begun
    write(records, found.jobs)
    records.close()
    planning(study, steps="[20]")[0].close()
    assert rows(study, "SELECT steps, state, listed FROM runs") == [(20, "done", 1), (40, "done", 1)]
    assert len(Store(study.store).study().runs) == 2
    again, found = planning(study, steps="[20, 40]")
    again.close()
    assert found.missing == () and rows(study, "SELECT listed FROM runs") == [1, 1]


def test_two_studies_share_a_store_and_the_runs_that_both_have(study, begun):
    records, found = begun
    write(records, found.jobs)
    records.close()
    text = study.file.read_text()
    study.write = lambda **_: study.file
    study.file.write_text(text.replace("name: small", "name: other").replace("[20, 40]", "[40, 80]"))
    other, found = planning(study)
    assert [(job.job.start, job.job.stop) for job in found.jobs] == [(32, 64), (64, 80)]
    write(other, found.jobs)
    other.close()
    owners = "SELECT steps, studies.name, listed FROM runs JOIN studies ON study = studies.number ORDER BY steps"
    assert rows(study, owners) == [(20, "small", 1), (40, "other", 1), (80, "other", 1)]
    steps = dict(rows(study, "SELECT id, steps FROM runs"))
    of_study = {name: sorted(steps[run] for run in Store(study.store).study(name).runs) for name in ("small", "other")}
    assert of_study == {"small": [20, 40], "other": [40, 80]}
    study.file.write_text(text.replace("[20, 40]", "[20]"))
    assert planned(study).unlisted == 1  # the run that went over to the other study is of this one as well


def test_the_study_planned_last_is_that_also_where_the_clock_was_set_back(study, monkeypatch):
    text = study.write(steps="[20]").read_text()
    for name, at in (
        ("first", datetime(2037, 1, 1)),
        ("second", datetime(2026, 1, 1)),
        ("first", datetime(2027, 1, 1)),
    ):
        monkeypatch.setattr(intake, "now", lambda at=at: at)
        study.file.write_text(text.replace("name: small", f"name: {name}"))
        with Records(study.store) as records:
            planned_again(study, records)
        assert Store(study.store).study().name == name


def test_a_study_keeps_its_names_of_models_where_another_one_of_the_store_has_others(study):
    """The runs that it holds out were no longer those of the model that its rule names, and told the law."""
    text = study.write(steps="[20, 40]").read_text()
    nano = "\n  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 4}\ndata:"
    held = "fits: {upstream: {metric: upstream/error, hold_out: {model: nano}}}\n"
    small = text.replace("\ndata:", nano, 1)
    other = small.replace("name: small", "name: other").replace("nano:", "tiny:")
    for document in (small + held, other):
        study.file.write_text(document)
        with Records(study.store) as records:
            write(records, planned_again(study, records).jobs)
    request, points = study_points(study.store, "small")
    assert set(points["model"]) == {"pico", "nano"}
    held_out = held_out_runs(points, request.fits["upstream"], None)
    assert len(held_out) == 2 and set(points.set_index("run").loc[held_out, "model"]) == {"nano"}
    assert set(study_points(study.store, "other")[1]["model"]) == {"pico", "tiny"}
    for name, model in (("small", "nano"), ("other", "tiny")):
        written = list(export_all("csv", study.folder / model, study.store, f"model == {model}"))
        assert [(path.name, set(one.content.points["model"])) for path, one in written] == [(name, {model})]


def test_an_exclusion_has_a_reason_and_can_be_taken_back(study, begun):
    records, found = begun
    run = found.runs[1].id
    records.exclude(run, "wrong images")
    assert rows(study, "SELECT run, excluded FROM points WHERE excluded") == [(run, 1)]
    assert rows(study, "SELECT reason FROM exclusions") == ["wrong images"]
    records.include(run)
    assert not rows(study, "SELECT 1 FROM points WHERE excluded UNION SELECT 1 FROM exclusions")
    with pytest.raises(NotFound, match="no run 37"):
        records.exclude("37", "")


def test_a_fit_replaces_the_one_of_its_name(study, begun):
    for exponent in (0.5, 0.37):
        document = {"law": "power", "params": {"exponent": exponent, "floor": math.nan}}
        begun[0].save_fit("upstream", document)
    assert rows(study, "SELECT law, exponent, floor FROM fits") == [("power", 0.37, None)]
    assert rows(study, "SELECT document FROM fits") == ['{"law": "power", "params": {"exponent": 0.37, "floor": null}}']


def test_records_are_closed_when_the_store_can_not_be_used(tmp_path):
    (tmp_path / "results.db").write_text("37" * 500)
    for _ in range(2):  # the second one would find the first one's lock
        with pytest.raises(Exception, match="not a store, or is damaged"):
            Records(tmp_path / "results.db")


def test_a_git_that_hangs_costs_the_revision_and_not_the_launch(monkeypatch):
    def hang(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 30)

    monkeypatch.setattr(subprocess, "run", hang)
    monkeypatch.setattr(Path, "exists", lambda _: True)
    assert revision.__wrapped__() == ""


def test_a_run_has_the_mean_speed_of_its_steps_and_no_mfu_where_none_was_told(study, begun):
    records, found = begun
    write(records, found.jobs[:3])
    events = [replace(event, mfu=None) if isinstance(event, Done) else event for event in told(found.jobs[3])]
    records.write(records.start(found.jobs[3], "here"), events)
    a_step = training_flops(found.runs[0].spec.trunk, 1)
    speeds = rows(study, "SELECT images_per_second, flops_per_second, mfu FROM points ORDER BY steps")
    assert speeds == [(16 / SECONDS_A_STEP, a_step / SECONDS_A_STEP, mfu) for mfu in (0.37, None)]
    assert rows(study, "SELECT DISTINCT flops_per_second, mfu FROM curves") == [(3.7e9, 0.37)]


def test_core_days_count_the_devices_of_each_slot(study, begun):
    """Of the steps that a run has of its trunk too, which other slots may have trained."""
    records, found = begun
    stretches, ends = found.jobs[:2], found.jobs[2:]
    for job, slot_type in zip((*stretches, *ends), ("v5e-16", "v5e-16", "cpu", "h100-8"), strict=True):
        records.write(records.start(job, slot_type, slot_type), told(job))
    for run in found.runs:
        (devices, device_seconds, core_days) = rows(
            study, f"SELECT devices, device_seconds, core_days FROM runs WHERE id = '{run.id}'"
        )[0]
        own = {ends[0].owner: 1, ends[1].owner: 8}[run.id]
        on_trunk, alone = run.spec.branch * SECONDS_A_STEP, run.spec.cooldown * SECONDS_A_STEP
        assert device_seconds == on_trunk + alone
        assert core_days == pytest.approx((16 * on_trunk + own * alone) / 86400)
        assert devices == pytest.approx((16 * on_trunk + own * alone) / device_seconds)


def test_core_days_of_a_job_that_goes_on_elsewhere_count_the_devices_of_both_slots(study):
    records, found = planning(study, steps="[40]")
    stretch, end = found.jobs
    first = records.start(stretch, "v5e-16/0", "v5e-16")
    lost = Failed("node_lost", 14, "node-37 is gone")
    records.write(first, [started(), progress(12), checkpoint(stretch, 12, kept=False), progress(14), lost])
    for job, start in ((stretch, 12), (end, 32)):
        records.write(records.start(job, "cpu", "cpu"), told(job, start))
    records.close()
    assert rows(study, "SELECT core_days FROM runs") == [pytest.approx((16 * 12 + 28) * SECONDS_A_STEP / 86400)]


def test_a_share_of_a_device_counts_as_that(study):
    text = study.write(steps="[40]").read_text() + "resources: {default: {device: gpu, devices: 0.5}}\n"
    study.file.write_text(text)
    with Records(study.store) as records:
        for job in planned_again(study, records).jobs:
            records.write(records.start(job, "gpu/0", "gpu"), told(job))
    assert rows(study, "SELECT devices, core_days FROM runs") == [(0.5, pytest.approx(20 * SECONDS_A_STEP / 86400))]


def test_a_run_of_several_kinds_of_devices_has_no_mfu(study, begun):
    """It had its speed as a share of the peak of the last ones alone."""
    records, found = begun
    for job, device in zip(found.jobs, ("v5e", "v5e", "v5e", "h100"), strict=True):
        events = [replace(event, device=device) if isinstance(event, Started) else event for event in told(job)]
        records.write(records.start(job, "here"), events)
    assert rows(study, "SELECT mfu FROM runs ORDER BY steps") == [0.37, None]


def test_the_mfu_of_a_run_counts_the_devices_of_each_slot(study, begun):
    """A job tells that of all steps by the devices that it ended on alone."""
    records, found = begun
    for job, slot_type in zip(found.jobs, ("v5e-16", "v5e-16", "v5e-8", "v5e-16"), strict=True):
        records.write(records.start(job, slot_type, slot_type), told(job))
    for steps, at_the_end in ((20, 8), (40, 16)):
        ((devices, mfu),) = rows(study, f"SELECT devices, mfu FROM runs WHERE steps = {steps}")
        assert mfu == pytest.approx(0.37 * at_the_end / devices)
        assert (mfu == 0.37) == (steps == 40)


def test_a_cooldown_goes_on_from_its_own_checkpoint_where_its_trunk_has_one_at_that_step(study, begun):
    records, found = begun
    stretch, longer, end = found.jobs[:3]
    assert end.job.start < 18 < end.job.stop < longer.job.stop
    write(records, [stretch])
    records.write(
        records.start(longer, "v5e-16/0", "v5e-16"), [started(16), progress(18), checkpoint(longer, 18, kept=False)]
    )
    own = replace(checkpoint(end, 18, kept=False), device_seconds=40.0)
    records.write(records.start(end, "here"), [started(16), own, Failed("node_lost", 18, "gone")])
    again = records.start(end, "here")
    records.write(again, [started(18), replace(progress(20), device_seconds=48.0)])
    assert rows(study, f"SELECT device_seconds FROM attempts WHERE id = {again}") == [8.0]


def test_a_run_that_is_trained_again_has_the_parameters_and_the_time_of_that(study, begun):
    """A run that is done is trained again where its checkpoint is gone and another evaluation is asked for."""
    records, found = begun
    write(records, found.jobs)
    end = found.jobs[3]
    *events, done = told(end)
    records.write(records.start(end, "here"), [*events, replace(done, digest="other", device_seconds=99.0)])
    assert rows(study, "SELECT state, digest, device_seconds FROM runs WHERE steps = 40") == [("done", "other", 99.0)]


def test_marginal_compute_adds_up_to_what_was_trained_whatever_studies_share_a_trunk(study):
    """A plan knows the runs of its own file alone, and wrote their whole trunk to the shortest of them."""
    text = study.write(steps="[20, 40, 80]").read_text()
    for changed in (text, text.replace("name: small", "name: other").replace("[20, 40, 80]", "[40]")):
        study.file.write_text(changed)
        with Records(study.store) as records:
            found = planned_again(study, records)
            write(records, found.jobs)
    a_step = training_flops(found.runs[0].spec.trunk, 1)
    assert rows(study, "SELECT sum(marginal_flops) FROM points") == rows(study, "SELECT sum(flops) FROM attempts")
    own = [20, 40 - 16, 80 - 32]  # cooldowns are a fifth
    assert rows(study, "SELECT marginal_flops FROM points ORDER BY steps") == [steps * a_step for steps in own]


def test_a_run_that_was_never_trained_and_left_the_study_takes_no_compute_off_others(study):
    text = study.write(steps="[20, 40]").read_text()
    with Records(study.store) as records:
        longer = planned_again(study, records).runs[1]
    study.file.write_text(text.replace("[20, 40]", "[40]"))
    prune(read(study.file), lambda _: True)
    assert rows(study, "SELECT marginal_flops FROM runs WHERE listed") == [longer.flops]
