"""One job in this process: what it tells, and that no interruption changes its end."""

import json
import math
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
import pytest
from damage import HURTS, array_file

from scalectl.trainer import checkpoint, flops, hardware, kept, writer
from scalectl.trainer.events import (
    Checkpoint,
    Done,
    Event,
    Failed,
    Measurement,
    Progress,
    Skipped,
    Spent,
    Started,
    Stopped,
)
from scalectl.trainer.flops import training_flops
from scalectl.trainer.optimizer import schedule, settings
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec, Job, ModelSpec, RecipeSpec, RunSpec, TrunkSpec
from scalectl.trainer.step import abstract, shape
from scalectl.trainer.train import logged, train

TRUNK = TrunkSpec(
    ModelSpec(8, 1, 32, 2, 4),
    DataSpec("digits", 60, 360, 0, 1, 8, 1, 10),
    RecipeSpec(16, "float32", "map", -2.0, "sigmoid", "adafactor", 3e-3, 1.0, 3.0, 0.03, 4, 10),
    seed=3,
)
RUN = RunSpec(TRUNK, steps=150, cooldown=30)
EVALS = EvalSpec(("loss", "error"), (FewshotSpec("digits", 1, 2, 1024.0), FewshotSpec("digits", 5, 2, 1024.0)))


def job(folder: Path, **changes) -> Job:
    made = Job("alone", "alone", TRUNK, RUN, 0, 150, EVALS, str(folder), None, 40)
    return replace(made, **changes)


def with_recipe(folder: Path, **changes) -> Job:
    trunk = replace(TRUNK, recipe=replace(TRUNK.recipe, **changes))
    return job(folder, trunk=trunk, run=RunSpec(trunk, 150, 30))


def told(wanted: Job) -> list[Event]:
    return list(train(wanted))


def of(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


def readings(events: list[Event]) -> dict[str, float]:
    return {event.metric: event.value for event in of(Measurement, events)}


def curve(events: list[Event]) -> list[tuple]:
    return sorted({(one.step, one.loss, one.learning_rate, one.grad_norm) for one in of(Progress, events)})


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[Event]:
    return told(job(tmp_path_factory.mktemp("whole")))


def test_a_run_tells_its_whole_life_in_order(whole):
    assert isinstance(whole[0], Started) and isinstance(whole[-1], Done)
    assert [(one.step, one.kept) for one in of(Checkpoint, whole)] == [
        (40, False),
        (80, False),
        (120, False),
        (150, True),
    ]
    assert {one.metric: one.settings for one in of(Measurement, whole)} == EVALS.metrics()
    assert {one.test_images for one in of(Measurement, whole)} == {TRUNK.data.held_out}
    wrong = next(one.value * one.test_images for one in of(Measurement, whole) if one.metric == "upstream/error")
    assert wrong == pytest.approx(round(wrong), abs=1e-9)
    assert whole[-1].step == 150 and whole[-1].digest == of(Checkpoint, whole)[-1].digest
    assert json.loads(whole[0].versions)["jax"]


def test_device_time_only_grows(whole):
    seconds = [event.device_seconds for event in of(Progress, whole)]
    assert seconds[0] > 0 and all(one <= other for one, other in pairwise(seconds))
    assert whole[-1].device_seconds == seconds[-1]


def test_speed_is_told_in_images_and_flops_and_as_a_share_of_a_peak_where_there_is_one(tmp_path, whole, monkeypatch):
    assert {event.mfu for event in (*of(Progress, whole), whole[-1])} == {None}  # no CPU has a published one
    monkeypatch.setattr(hardware, "_PEAKS", {"cpu": (math.nan, 37e9)})
    stretch = told(job(tmp_path, run=None, evals=EvalSpec((), ())))
    an_image = training_flops(TRUNK, 1) / TRUNK.recipe.batch_size
    for event in of(Progress, stretch):
        assert event.flops_per_second == pytest.approx(an_image * event.images_per_second)
        assert event.mfu == pytest.approx(event.flops_per_second / 37e9)
    assert stretch[-1].mfu == pytest.approx(training_flops(TRUNK, 150) / stretch[-1].device_seconds / 37e9)


def test_compiling_is_no_device_time(tmp_path, monkeypatch):
    late, clock, compile_ = 0.0, time.perf_counter, jax.stages.Lowered.compile

    def slowly(*arguments, **options):
        nonlocal late
        late += 1000.0
        return compile_(*arguments, **options)

    monkeypatch.setattr(time, "perf_counter", lambda: clock() + late)
    monkeypatch.setattr(jax.stages.Lowered, "compile", slowly)
    monkeypatch.setattr(kept, "_kept", {})
    end = told(job(tmp_path))[-1]
    assert end.compile_seconds > 1000.0 * end.compilations >= 2000.0
    assert end.device_seconds < 1000.0


def test_the_rates_told_are_those_of_the_schedule(whole):
    at = settings(TRUNK.recipe, RUN)
    for event in of(Progress, whole):
        assert event.learning_rate == pytest.approx(3e-3 * float(schedule(event.step - 1, at)), rel=1e-5)


def test_training_learns(tmp_path):
    found = told(with_recipe(tmp_path, lr=1e-2))
    assert readings(found)["upstream/error"] < 0.75  # 0.9 by chance


@pytest.mark.parametrize(
    "changes",
    [
        {"head": "gap", "loss": "softmax", "positions": "sincos2d"},
        {"head": "tok", "optimizer": "adamw", "layers": "scan", "remat": "full", "microbatch": 4},
    ],
)
def test_every_head_loss_and_optimizer_learns(tmp_path, changes):
    losses = [event.loss for event in of(Progress, told(with_recipe(tmp_path, lr=1e-2, **changes)))]
    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:3])


@pytest.mark.slow
def test_bfloat16_trains(tmp_path):
    losses = [event.loss for event in of(Progress, told(with_recipe(tmp_path, lr=1e-2, precision="bfloat16")))]
    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:3])


def test_killed_anywhere_it_comes_to_the_same_end(tmp_path, whole):
    """A generator that is dropped stops where a killed process would: between two events."""
    rng, events = random.Random(37), []
    for _ in range(6):
        life = train(job(tmp_path))
        events += [event for event, _ in zip(life, range(rng.randint(1, 120)), strict=False)]
    events += told(job(tmp_path))
    assert (events[-1].digest, readings(events)) == (whole[-1].digest, readings(whole))
    assert curve(events) == curve(whole)


def test_the_last_life_alone_tells_the_whole_curve(tmp_path, whole):
    life = train(job(tmp_path))
    for event in life:
        if isinstance(event, Checkpoint) and event.step == 120:
            break
    after = told(job(tmp_path))
    assert after[0].step == 120
    assert curve(after) == curve(whole)


def test_stopped_it_leaves_a_checkpoint_and_goes_on(tmp_path, whole):
    stopping, events = threading.Event(), []
    for event in train(job(tmp_path, checkpoint_every=10**6), stopping):
        events.append(event)
        if isinstance(event, Progress) and event.step >= 20:
            stopping.set()
    assert isinstance(events[-1], Stopped) and 20 <= events[-1].step < 150
    assert of(Checkpoint, events)[-1].step == events[-1].step
    after = told(job(tmp_path))
    assert after[0].step == events[-1].step and after[-1].digest == whole[-1].digest


def test_the_time_of_an_evaluation_that_was_stopped_is_told(tmp_path):
    stopping, events = threading.Event(), []
    for event in train(job(tmp_path, checkpoint_every=10**6), stopping):
        events.append(event)
        if isinstance(event, Measurement):
            stopping.set()
    assert events[-1] == Stopped(150)
    assert of(Spent, events)[-1].evaluate > 0


def test_a_job_that_had_ended_only_measures_again(tmp_path, whole):
    told(job(tmp_path))
    again = told(job(tmp_path))
    assert again[0].step == 150 and readings(again) == readings(whole)


@pytest.mark.slow
def test_how_steps_are_grouped_changes_no_bit(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(flops, "MAX_STEPS", 3)
    assert told(job(tmp_path, checkpoint_every=7))[-1].digest == whole[-1].digest


def test_a_branch_off_a_trunk_ends_where_the_whole_run_does(tmp_path, whole):
    stretch = job(tmp_path / "trunk", run=None, stop=120, evals=EvalSpec((), ()))
    origin = of(Checkpoint, told(stretch))[-1]
    branch = told(job(tmp_path / "run", start=120, origin=origin.path))
    assert branch[-1].digest == whole[-1].digest and readings(branch) == readings(whole)
    assert min(event.step for event in of(Progress, branch)) > 120


def left_at(step: int, folder: Path) -> None:
    """A life that ends when it has told the checkpoint of `step`."""
    for event in train(job(folder)):
        if isinstance(event, Checkpoint) and event.step == step:
            return


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_newest_checkpoint_costs_only_the_steps_after_the_one_before(tmp_path, whole, hurt):
    left_at(120, tmp_path)
    hurt(array_file(tmp_path / "120"))
    skipped, begun, *after = told(job(tmp_path))
    assert isinstance(skipped, Skipped) and (skipped.step, begun.step) == (120, 80)
    assert (tmp_path / "120.corrupt").is_dir() and str(tmp_path / "120.corrupt") in skipped.reason
    assert (after[-1].digest, readings(after)) == (whole[-1].digest, readings(whole))
    assert curve(after) == curve(whole)


def test_when_both_are_damaged_it_begins_again(tmp_path, whole):
    left_at(120, tmp_path)
    for step in ("80", "120"):
        HURTS[0](array_file(tmp_path / step))
    *skipped, begun = told(job(tmp_path, stop=121))[:3]
    assert [one.step for one in skipped] == [120, 80] and isinstance(begun, Started) and begun.step == 0


def test_the_newest_two_checkpoints_are_on_disk(tmp_path):
    seen = []
    for event in train(job(tmp_path)):
        if isinstance(event, Checkpoint):
            assert Path(event.path).is_dir()
            seen.append(sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()))
    assert seen[-1] == [120, 150] and all(len(steps) <= 2 for steps in seen)


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, whole, monkeypatch):
    write, seen = writer.save, threading.Event()

    def slowly(*arguments):
        seen.wait(20)
        return write(*arguments)

    monkeypatch.setattr(writer, "save", slowly)
    events, rows = [], {}
    for event in train(job(tmp_path)):
        events.append(event)
        if isinstance(event, Progress) and event.step == 60:
            seen.set()
        if isinstance(event, Checkpoint):
            _, found = checkpoint.restore(event.path, abstract(shape(TRUNK)))
            rows[event.step] = [(point.step, point.loss) for point in found.curve]
    before = events[: events.index(of(Checkpoint, events)[0])]
    assert of(Checkpoint, events)[0].step == 40 and max(one.step for one in of(Progress, before)) >= 60
    assert events[-1].digest == whole[-1].digest
    for step, known in rows.items():
        assert known == [(one.step, one.loss) for one in of(Progress, whole) if one.step <= step]


def test_a_checkpoint_that_cannot_be_written_ends_the_job(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "save", full)
    with pytest.raises(OSError, match="No space left"):
        told(job(tmp_path))


def test_a_damaged_origin_ends_the_job_and_names_it(tmp_path):
    origin = of(Checkpoint, told(job(tmp_path / "trunk", run=None, stop=120, evals=EvalSpec((), ()))))[-1]
    HURTS[1](array_file(origin.path))
    end = told(job(tmp_path / "run", start=120, origin=origin.path))[-1]
    assert isinstance(end, Failed) and end.kind == "checkpoint_corrupt" and origin.path in end.reason


def test_a_branch_without_its_origin_says_so(tmp_path):
    (end,) = told(job(tmp_path, start=120))
    assert isinstance(end, Failed) and end.kind == "checkpoint_corrupt" and "step 120" in end.reason


def test_a_loss_that_is_not_finite_ends_it_at_its_step(tmp_path):
    *_, last, end = told(with_recipe(tmp_path, lr=1e38))
    assert isinstance(end, Failed) and end.kind == "nonfinite" and f"at step {end.step}" in end.reason
    assert last.step == end.step < 40 and not (np.isfinite(last.loss) and np.isfinite(last.grad_norm))


def test_a_shape_compiles_once_whatever_the_numbers_of_its_recipe(tmp_path):
    told(job(tmp_path / "first"))
    other = with_recipe(tmp_path / "other", lr=2e-3, warmup=7, weight_decay_head=0.1, clip_norm=0.5, schedule="cosine")
    assert told(replace(other, trunk=replace(other.trunk, seed=99)))[-1].compilations == 0


def test_the_curve_has_every_early_step_and_ever_fewer_later():
    assert all(map(logged, range(1, 128)))
    assert sum(map(logged, range(1, 1601))) < 400
    assert sum(map(logged, range(1, 100_001))) < 800
    steps = [step for step in range(1, 200_000) if logged(step)]
    assert max(after - before for before, after in pairwise(steps)) == 1000


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to leave one of them out")
def test_one_core_or_all_of_them_make_the_same_bits(tmp_path):
    trunk = replace(TRUNK, model=ModelSpec(32, 1, 128, 4, 2), recipe=replace(TRUNK.recipe, batch_size=64))
    code = "import os, pickle, sys; os.sched_setaffinity(0, eval(sys.argv[1])); "
    code += "from scalectl.trainer.train import train; "
    code += "print(list(train(pickle.load(open(sys.argv[2], 'rb'))))[-1].digest)"
    digests = []
    for name, cores in (("one", {min(os.sched_getaffinity(0))}), ("all", os.sched_getaffinity(0))):
        stretch = job(tmp_path / f"{name}-job", trunk=trunk, run=None, stop=40, evals=EvalSpec((), ()))
        (tmp_path / name).write_bytes(pickle.dumps(stretch))
        command = [sys.executable, "-c", code, repr(cores), str(tmp_path / name)]
        digests.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    assert digests[0] == digests[1] != ""
