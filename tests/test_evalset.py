"""Other datasets than the study's own: what is wrong with them, how models see them, evaluations added later."""

import shutil
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import grey, greys, layout, write
from test_launch import launched

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.trainer.data.images import Images
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.split import split
from scalectl.trainer.evalset import evalsets
from scalectl.trainer.evaluate import Drawn, can_be_measured, drawn, fewshot, shots
from scalectl.trainer.events import Measurement, Progress, Stopped
from scalectl.trainer.sharding import everywhere
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec
from scalectl.trainer.train import train

RNG = np.random.default_rng(29)

STUDY = """\
version: 1
name: small
models: {pico: {width: 8, depth: 1, num_heads: 2, patch_size: 4}}
data: {source: synthetic, sizes: [60], image_size: 8, held_out: 40}
train: {batch_size: 16, optimizer: {name: adamw, lr: 3e-3}, schedule: {warmup: 4, timescale: 10}}
budgets: {steps: [10, 20]}
evals:
"""
OWN = "  fewshot: {datasets: [synthetic], shots: [1]}\n"
TUNED = "  finetune: {dataset: marks, steps: 3, batch_size: 16, lrs: [0.1], resolution: 12}\n"
PETS = "  datasets: {pets: {source: parquet:pets.parquet, test: test.parquet}, marks: {source: digits}}\n"
BOTH = "  fewshot: {datasets: [synthetic, pets, marks], shots: [1]}\n"


class Colour:
    """A study of small colour images, beside files of grey pictures in three classes."""

    def __init__(self, folder: Path) -> None:
        self.file, self.store, self.evals = folder / "experiments.yaml", folder / "results.db", OWN
        greys(folder / "pets.parquet", range(30))
        greys(folder / "test.parquet", range(100, 112))

    def write(self) -> Path:
        self.file.write_text(STUDY + self.evals)
        return self.file


@pytest.fixture
def colour(tmp_path):
    return Colour(tmp_path)


def told(news, kind):
    return [event for one in news for event in one.events if isinstance(event, kind)]


def values(events):
    return Counter((event.metric, event.step, event.value) for event in events)


@pytest.mark.slow
def test_an_evaluation_added_to_a_finished_study_is_measured_by_itself_on_its_checkpoints(colour):
    first = launched(colour)
    ends = {run.id for run in plan(read(colour.file)).runs}
    curve = {(event.step, event.loss) for event in told(first, Progress)}
    colour.evals = PETS + BOTH + TUNED
    later = launched(colour)
    assert {one.job.job.id for one in later} == ends and {one.job.flops for one in later} == {0}
    assert {(event.step, event.loss) for event in told(later, Progress)} <= curve  # told again, none of them new
    new = Counter(event.metric for event in told(later, Measurement))
    assert new == dict.fromkeys(["fewshot/pets/1shot/error", "fewshot/marks/1shot/error", "finetune/marks/error"], 2)
    images = {event.metric.split("/")[1]: event.test_images for event in told(later, Measurement)}
    assert images == {"pets": 12, "marks": 360}
    assert launched(colour) == []


@pytest.mark.slow
def test_where_checkpoints_are_gone_it_is_said_and_the_runs_are_trained_again_to_the_same(colour):
    before = values(told(launched(colour), Measurement))
    shutil.rmtree(colour.store.parent / "artifacts")
    colour.evals = PETS + BOTH
    found = plan(read(colour.write()), known(colour.store))
    new = "new evaluation: fewshot/marks/1shot/error, fewshot/pets/1shot/error"
    gone = f"{new}; its checkpoint is gone, so it is trained again"
    assert {run.reason for run in found.runs} == {gone} and found.flops > 0
    after = values(told(launched(colour), Measurement))
    assert before < after and launched(colour) == []


def test_other_files_under_the_same_name_are_measured_again_and_moved_ones_are_not(colour):
    colour.evals = PETS + BOTH
    launched(colour)
    for name in ("pets", "test"):
        (colour.store.parent / f"{name}.parquet").rename(colour.store.parent / f"moved-{name}.parquet")
    colour.evals = PETS.replace("parquet:", "parquet:moved-").replace("test: ", "test: moved-") + BOTH
    assert plan(read(colour.write()), known(colour.store)).jobs == ()
    greys(colour.store.parent / "moved-pets.parquet", range(1, 34))
    found = plan(read(colour.write()), known(colour.store))
    assert {run.reason for run in found.runs} == {"evaluation settings changed: fewshot/pets/1shot/error"}
    assert {tuple(job.job.evals.metrics()) for job in found.jobs} == {("fewshot/pets/1shot/error",)}


def test_a_stop_ends_an_evaluation_and_the_next_launch_begins_it_again(colour):
    first = launched(colour)
    colour.evals = PETS + OWN + TUNED.replace("steps: 3", "steps: 1M")
    job = next(one.job for one in plan(read(colour.write()), known(colour.store)).jobs)
    stopping = threading.Event()
    threading.Timer(4.0, stopping.set).start()
    *_, end = train(job, stopping)
    assert end == Stopped(10) and told(first, Measurement)
    found = plan(read(colour.file), known(colour.store))
    assert {run.state for run in found.runs} == {"done"} and found.flops == 0 and len(found.jobs) == 2


@pytest.mark.parametrize(
    ("evals", "place", "words"),
    [
        (PETS + BOTH.replace("pets,", "pest,"), "9:35", "no dataset 'pest' ... did you mean 'pets'?"),
        (PETS.replace("pets.parquet", "gone.parquet"), "8:29", "gone.parquet: no parquet files there"),
        (PETS.replace("test.parquet", "gone.parquet"), "8:57", "evals.datasets.pets.test: ... gone.parquet"),
        (PETS.replace("marks:", "synthetic:"), "8:72", "'synthetic' is the name of the study's own images"),
        (PETS.replace("marks:", "a/b:"), "8:72", "a name with / would part"),
        (PETS.replace("digits", "digits, resize: 9"), "8:96", "digits have no pictures to resize"),
        (PETS.replace("digits", "digits, held_out: 1797"), "8:106", "1,797 leaves nothing to train on"),
        (PETS.replace("test: test", "resize: 7, test: test"), "8:59", "7 is less than the 8 pixels"),
        (PETS + BOTH.replace("[1]", "[1, 11]"), "9:60", "11 images a class are more than pets ... it has 10 a class"),
        (PETS + TUNED.replace("marks", "mark"), "9:23", "no dataset 'mark'"),
        (
            PETS.replace("digits", "digits, held_out: 1796") + TUNED.replace("[0.1]", "[0.1, 0.3]"),
            "9:61",
            "marks has 1 image to train on ... give one rate",
        ),
        (PETS.replace("marks: {source: digits}", "marks: {sorce: digits}"), "8:80", "unknown key 'sorce' ... 'source'"),
        (TUNED.replace("resolution", "ema: 1, resolution"), "8:73", "1 is not below 1"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_found_at_its_place(colour, evals, place, words):
    colour.evals = evals
    with pytest.raises(InvalidExperiment) as refused:
        read(colour.write())
    texts = [text for text in map(str, refused.value.problems) if f"experiments.yaml:{place}: error: " in text]
    assert [text for text in texts if all(part in text for part in words.split(" ... "))], str(refused.value)


def test_colour_beside_grey_is_refused_and_a_dataset_that_nothing_uses_is_a_warning(study, tmp_path):
    greys(tmp_path / "pets.parquet", range(30))
    pets = "  datasets: {pets: {source: parquet:pets.parquet}}\n"
    with pytest.raises(InvalidExperiment, match="images of 3 channels beside a study of 1: they don't fit"):
        read(study.write(extra=pets))
    assert "no evaluation uses it" in str(read(study.write(extra="  datasets: {more: {source: digits}}\n")).warnings[0])


def test_the_class_with_too_few_images_is_named(colour):
    pictures, labels = [grey(level) for level in range(30)], [0] * 14 + [1] * 13 + [2] * 3
    write(colour.store.parent / "pets.parquet", layout(pictures, labels))
    colour.evals = PETS + BOTH.replace("[1]", "[4]")
    with pytest.raises(InvalidExperiment, match="4 images a class are more than pets has"):
        read(colour.write())
    assert Part("parquet", str(colour.store.parent / "pets.parquet")).class_counts() == {0: 14, 1: 13, 2: 3}


def test_a_class_whose_images_are_too_few_beside_the_held_out_ones_is_warned_of(colour):
    """Planning counted those that are held out as well, and each job refused its shots."""
    pictures, labels = [grey(level) for level in range(60)], [0] * 26 + [1] * 26 + [2] * 8
    write(colour.store.parent / "pets.parquet", layout(pictures, labels))
    said = "it has 8 of class 2, of which about 4 are left"
    for number in (4, 5):
        colour.evals = PETS.replace(", test: test.parquet", ", held_out: 30") + BOTH.replace("[1]", f"[{number}]")
        warnings = "; ".join(map(str, read(colour.write()).warnings))
        assert (said in warnings) == (number == 5), warnings


def test_a_class_whose_images_are_all_held_out_is_no_class_that_few_shots_tell(tmp_path):
    """It was left out of the shots, and counted as an error wherever it is in the test images."""
    pictures, labels = [grey(level) for level in range(30)], [0] * 14 + [1] * 14 + [2] * 2
    write(tmp_path / "pets.parquet", layout(pictures, labels))
    study = STUDY.replace("synthetic, sizes: [60]", "parquet:pets.parquet, sizes: [5]").replace(
        "held_out: 40", "held_out: 24"
    )
    (tmp_path / "experiments.yaml").write_text(study + OWN.replace("synthetic", "pets"))
    data = read(tmp_path / "experiments.yaml").cells[0].run.trunk.data
    while set(split(data).pool.labels) != {0, 1}:
        data = replace(data, subset_seed=data.subset_seed + 1)
    with pytest.raises(ValueError, match="few shots of pets: class 2 has no image but held-out ones"):
        can_be_measured(data, EvalSpec(fewshot=(FewshotSpec("pets", 1, 1, 1.0),)), everywhere())


def test_folders_are_counted_by_class(tmp_path):
    for name, count in (("cat", 4), ("dog", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.png").write_bytes(grey(number))
    assert Part("folder", str(tmp_path)).class_counts() == {0: 4, 1: 2}


def test_pictures_come_at_the_models_side_and_show_as_much_at_any(tmp_path):
    """A picture with a margin of another colour, which the central crop leaves out at each side."""
    from PIL import Image

    framed = Image.new("RGB", (64, 64), (0, 0, 0))
    framed.paste((200, 200, 200), (8, 8, 56, 56))
    framed.save(tmp_path / "framed.png")
    write(tmp_path / "framed.parquet", layout([(tmp_path / "framed.png").read_bytes()] * 4, [0, 1, 0, 1]))
    colour = Colour(tmp_path)
    colour.evals = PETS.replace(", test: test.parquet", ", resize: 12").replace("pets.parquet", "framed.parquet")
    colour.evals += "  fewshot: {datasets: [pets], shots: [1]}\n"
    (spec,) = (one for one in read(colour.write()).evals.fewshot if one.data)
    for side in (8, 16, 32):
        pool, held_out = evalsets(spec.data, side, 3)
        pixels = np.concatenate([pool[:], held_out[:]])
        assert pixels.shape == (4, side, side, 3)
        assert np.ptp(pixels) < 0.15 and pixels.mean() == pytest.approx(200 / 127.5 - 1, abs=0.05)


def test_grey_images_are_repeated_in_each_channel():
    pool, held_out = evalsets(DataSpec("digits", 0, 360, 0, 0, 8, 1, 10), 8, 3)
    once, _ = evalsets(DataSpec("digits", 0, 360, 0, 0, 8, 1, 10), 8, 1)
    assert len(pool) + len(held_out) == 1797
    np.testing.assert_array_equal(pool[:37], np.repeat(once[:37], 3, axis=-1))
    np.testing.assert_array_equal(pool.take(np.array([36, 5]))[:], pool[:37][[36, 5]])


def test_the_settings_of_a_dataset_hold_its_hash_and_no_path(colour):
    colour.evals = PETS + BOTH
    settings = read(colour.write()).evals.metrics()
    content = read(colour.file).evals.fewshot[1].data.content
    assert content and content in settings["fewshot/pets/1shot/error"]
    assert not any(str(colour.store.parent) in one or ".parquet" in one for one in settings.values())
    assert settings["fewshot/synthetic/1shot/error"] == '{"l2":1024.0,"seeds":3}'


def test_only_what_few_shots_draw_is_read(colour):
    colour.evals = PETS + BOTH
    data = next(one.data for one in read(colour.write()).evals.fewshot if one.dataset == "pets")
    pool, _ = evalsets(data, 8, 3)
    specs = [FewshotSpec("pets", number, 2, 1.0, data) for number in (1, 2)]
    rows = drawn(pool.labels, specs)
    assert 6 <= len(rows) <= 12 and set(rows) == {
        row for spec in specs for seed in (0, 1) for row in shots(pool.labels, spec.shots, seed)
    }
    features, test = RNG.normal(size=(30, 5)), Images(RNG.normal(size=(9, 5)), np.arange(9) % 3)
    whole = Images(features, pool.labels)
    for spec in specs:
        assert fewshot(Drawn(features[rows], rows, pool.labels), test, spec) == fewshot(whole, test, spec)
