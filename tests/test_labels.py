"""Images with several labels: from a column of lists to multi-hot targets, their loss and their error."""

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest
from pictures import STUDY, as_seen, grey, layout, levels, study, write
from records import array_record, dataset, example
from scipy.special import expit
from told import from_scratch

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.answers import wrong
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.labels import Several
from scalectl.trainer.data.split import split
from scalectl.trainer.events import Done, Measurement
from scalectl.trainer.step import losses
from scalectl.trainer.train import train


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))


def labels(level: int) -> list[int]:
    """One label to three, the first of them by level."""
    return [(level + more) % 5 for more in range(1 + level % 3)]


def table(name: str = "labels", of: Any = labels, count: int = 40, kind: Any = None) -> pa.Table:
    pictures = layout([grey(level) for level in range(count)], [0] * count).drop_columns("label")
    return pictures.append_column(name, pa.array([of(level) for level in range(count)], kind or pa.list_(pa.int32())))


def as_parquet(folder: Path) -> Experiment:
    write(folder / "train.parquet", table())
    return study(folder)


def as_records(folder: Path) -> Experiment:
    made = [example(image=grey(level), labels=labels(level)) for level in range(40)]
    array_record(folder / "train.array_record", made)
    return study(folder, "array_record:train.array_record", ", num_classes: 5")


def as_dataset(folder: Path) -> Experiment:
    made = [example(image=grey(level), labels=labels(level)) for level in range(40)]
    declared = {"labels": {"sequence": {"feature": {"classLabel": {"numClasses": "5"}}}}}
    dataset(folder / "data", {"train": [made]}, "tfrecord", declared, "1.0.0")
    return study(folder, "tfds:small")


@pytest.mark.parametrize("made", [as_parquet, as_records, as_dataset])
def test_targets_are_ones_at_the_labels_of_each_image(made, tmp_path):
    trunk = made(tmp_path).cells[0].run.trunk
    assert trunk.data.num_classes == 5
    pixels, targets = Batches(trunk).batch(3)
    expected = [[int(label in labels(level)) for label in range(5)] for level in levels(as_seen(pixels))]
    assert targets.tolist() == expected
    found = split(trunk.data)
    assert found.held_out.labels[2:4].shape == (2, 5) and sorted(levels(found.pool.pixels[:])) != []


@pytest.mark.parametrize("kind", [pa.large_list(pa.uint8()), pa.list_(pa.int64(), 2)])
def test_all_kinds_of_lists_are_labels(kind, tmp_path):
    write(tmp_path / "train.parquet", table("label", lambda level: [level % 5, 4], kind=kind))
    found = split(study(tmp_path).cells[0].run.trunk.data).pool
    assert found.labels[:].tolist() == [np.isin(range(5), [level % 5, 4]).tolist() for level in levels(found.pixels[:])]


def test_rows_are_had_in_any_order():
    several = Several(np.array([3, 0, 2, 2, 1]), np.array([0, 1, 3, 3, 5]))
    assert several.hot(np.array([3, 0, 2, 1]), 4).tolist() == [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]]
    assert len(several) == 4 and several.hot(np.array([], int), 4).shape == (0, 4)


def test_the_loss_is_binary_cross_entropy_with_each_class():
    random = np.random.default_rng(37)
    logits, targets = random.normal(size=(6, 5)) * 3, random.integers(0, 2, (6, 5)).astype(np.uint8)
    chance = expit(logits)
    expected = -(targets * np.log(chance) + (1 - targets) * np.log1p(-chance)).sum(axis=1)
    np.testing.assert_allclose(losses(jnp.asarray(logits), jnp.asarray(targets), "sigmoid"), expected, rtol=1e-5)


def test_one_label_is_the_same_bits_either_way():
    random = np.random.default_rng(37)
    logits, single = jnp.asarray(random.normal(size=(60, 5)), jnp.float32), random.integers(0, 5, 60)
    hot = Several(single, np.arange(61)).hot(np.arange(60), 5)
    for told in (lambda labels: losses(logits, jnp.asarray(labels), "sigmoid"), lambda labels: wrong(logits, labels)):
        np.testing.assert_array_equal(told(single), told(hot))


def test_an_answer_is_right_when_it_is_among_the_labels():
    logits = jnp.asarray([[0.0, 3.0, 1.0], [0.0, 3.0, 1.0], [9.0, 3.0, 1.0]])
    assert wrong(logits, jnp.asarray([[1, 1, 0], [1, 0, 1], [1, 0, 0]])).tolist() == [False, True, False]


@pytest.mark.slow
def test_a_run_ends_with_its_metrics(tmp_path):
    write(tmp_path / "train.parquet", table())
    job = plan(study(tmp_path)).jobs[-1].job
    events = list(train(from_scratch(job, str(tmp_path / "alone"))))
    assert isinstance(events[-1], Done)
    readings = {event.metric: event.value for event in events if isinstance(event, Measurement)}
    assert readings["upstream/error"] in np.arange(9) / 8 and readings["upstream/loss"] > 0


@pytest.mark.parametrize(
    ("section", "setting", "words"),
    [
        ("train", "loss: softmax", "train.loss: images of parquet:train.parquet have several labels each"),
        ("data", "stratified: true", "data.stratified: images of parquet:train.parquet have several labels each"),
    ],
)
def test_what_has_no_meaning_for_several_labels_is_refused(section, setting, words, tmp_path):
    write(tmp_path / "train.parquet", table())
    text = STUDY.format(source="parquet:train.parquet", more="").replace(f"{section}: {{", f"{section}: {{{setting}, ")
    (tmp_path / "experiments.yaml").write_text(text)
    with pytest.raises(InvalidExperiment, match=words):
        read(tmp_path / "experiments.yaml")


def test_a_test_split_with_one_label_an_image_is_refused(tmp_path):
    write(tmp_path / "train.parquet", table())
    write(tmp_path / "test.parquet", layout([grey(1)] * 9, [1] * 9))
    with pytest.raises(InvalidExperiment, match=r"data\.test: only one of it and parquet:train\.parquet has lists"):
        study(tmp_path, more=", test: test.parquet")


@pytest.mark.parametrize(
    ("wrongly", "words"),
    [([], "no label"), (None, "no label"), ([1, None], "no label"), ([4, 5], "label 5 is not from 0 to 4")],
)
def test_a_wrong_label_is_named_with_its_row(wrongly, words, tmp_path):
    made = table(of=lambda level: wrongly if level == 13 else labels(level))
    write(tmp_path / "train.parquet", made, write_statistics=False)
    with pytest.raises(Unreadable, match=f"train.parquet, row 13: {words}"):
        split(study(tmp_path, more=", num_classes: 5").cells[0].run.trunk.data)


def test_labels_above_the_classes_are_refused_at_planning(tmp_path):
    write(tmp_path / "train.parquet", table())
    with pytest.raises(InvalidExperiment, match="has the label 4, and 4 classes"):
        study(tmp_path, more=", num_classes: 4")
    write(tmp_path / "train.parquet", table(of=lambda level: [-2]))
    with pytest.raises(InvalidExperiment, match="rows 0 to 6: a label is -2"):
        study(tmp_path)


def test_few_shots_and_fine_tuning_of_several_labels_are_refused(tmp_path):
    write(tmp_path / "train.parquet", table())
    write(tmp_path / "more.parquet", table())
    evals = """evals:
  datasets: {more: {source: parquet:more.parquet}}
  fewshot: {datasets: [parquet, more], shots: [1]}
  finetune: {dataset: more, steps: 1}
"""
    text = STUDY.format(source="parquet:train.parquet", more="")
    (tmp_path / "experiments.yaml").write_text(text + evals)
    with pytest.raises(InvalidExperiment) as refused:
        read(tmp_path / "experiments.yaml")
    for place in (r"fewshot\.datasets\[0\]", r"fewshot\.datasets\[1\]", r"finetune\.dataset"):
        assert re.search(f"evals.{place}: images of .* have several labels each", str(refused.value))
