"""Pictures in ArrayRecord files: from a study's file to images, and what is refused with file and row."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import grey, levels, refusal, study
from records import array_record, example, greys
from test_cli import HEAVY

from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import load, split
from scalectl.trainer.spec import DataSpec

pytestmark = pytest.mark.usefixtures("own_cache")


def spec(folder: Path, source: str = "train.array_record", more: str = "") -> DataSpec:
    return study(folder, f"array_record:{source}", f", num_classes: 3{more}").cells[0].run.trunk.data


def refused(folder: Path, source: str = "train.array_record") -> str:
    return refusal(folder, f"array_record:{source}", ", num_classes: 3")


def test_every_image_is_read_once_with_its_label(tmp_path):
    array_record(tmp_path / "train.array_record", greys(range(40)))
    found = split(spec(tmp_path))
    pool, apart = (levels(part.pixels[:]) for part in (found.pool, found.held_out))
    assert sorted(pool + apart) == list(range(40)) and len(apart) == 8
    assert found.pool.labels[:].tolist() == [level % 3 for level in pool]


@pytest.mark.parametrize("source", ["parts", "parts/*-of-00002", "parts/**"])
def test_a_folder_and_a_pattern_are_all_their_files_in_order(source, tmp_path):
    array_record(tmp_path / "whole.array_record", greys(range(40)))
    array_record(tmp_path / "parts" / "train.array_record-00001-of-00002", greys(range(11, 40)))
    array_record(tmp_path / "parts" / "train.array_record-00000-of-00002", greys(range(11)))
    apart, whole = (levels(load(spec(tmp_path, name)).pixels[:]) for name in (source, "whole.array_record"))
    assert apart == whole


def test_held_out_images_are_of_the_test_split_where_there_is_one(tmp_path):
    array_record(tmp_path / "train.array_record", greys(range(40)))
    array_record(tmp_path / "test.array_record", greys(range(100, 110)))
    found = split(spec(tmp_path, more=", test: test.array_record, stratified: true"))
    assert sorted(levels(found.pool.pixels[:])) == list(range(40))
    assert sorted(levels(found.held_out.pixels[:])) == list(range(100, 110))


def test_moved_files_are_the_same_data_and_changed_ones_other(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    array_record(tmp_path / "here" / "train.array_record", greys(range(40)))
    shutil.copy(tmp_path / "here" / "train.array_record", tmp_path / "there")
    here, there = (spec(tmp_path / folder) for folder in ("here", "there"))
    assert here == there and here.path != there.path
    longer = [*greys(range(39)), example(image=grey(39) + b"x", label=[0])]  # in one record, by one byte
    size = (tmp_path / "there" / "train.array_record").stat().st_size
    array_record(tmp_path / "there" / "train.array_record", longer)
    assert (tmp_path / "there" / "train.array_record").stat().st_size == size
    assert spec(tmp_path / "there") != here
    with pytest.raises(Unreadable, match="changed since the study was planned"):
        load(replace(there, subset_seed=7))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (example(picture=grey(1), label=[1]), ": features label, picture; needed are image, and label or labels"),
        (example(image=grey(1), fine_label=[1]), ": features fine_label, image; needed are image, and label"),
        (b"no example", ", row 0: not a tf.train.Example"),
    ],
)
def test_wrong_features_are_refused_at_planning_with_the_file(record, words, tmp_path):
    array_record(tmp_path / "train.array_record", [record] * 9)
    said = refused(tmp_path)
    assert f"data.source: {tmp_path}/train.array_record{words}" in said


def test_files_that_are_none_are_refused_at_planning(tmp_path):
    assert "no ArrayRecord files there" in refused(tmp_path, "nowhere")
    array_record(tmp_path / "train.array_record", [])
    assert "train.array_record: no records" in refused(tmp_path)
    (tmp_path / "train.array_record").write_bytes(b"PAR1" * 40_000)
    assert "train.array_record: not an ArrayRecord file" in refused(tmp_path)


@pytest.mark.parametrize(
    ("record", "error", "words"),
    [
        (example(image=b"not a picture", label=[1]), BadImage, "row 9: not a picture"),
        (example(image=grey(1)[:60], label=[1]), BadImage, "row 9: "),
        (example(image=b"", label=[1]), BadImage, "row 9: no image"),
        (example(label=[1]), BadImage, "row 9: no image"),
        (b"no example", BadImage, "row 9: not a tf.train.Example"),
        (example(image=grey(1)), Unreadable, "row 9: no label"),
        (example(image=grey(1), label=[3]), Unreadable, "row 9: label 3 is not from 0 to 2"),
        (example(image=grey(1), label=[-7]), Unreadable, "row 9: label -7 is not from 0 to 2"),
        (example(image=grey(1), label=[1, 2]), Unreadable, "row 9: 2 values of label; name the feature labels"),
    ],
)
def test_a_wrong_record_is_named_with_file_and_row_before_any_is_seen(record, error, words, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.survey.LOOKED_AT", 0)  # planning sees none of them
    array_record(tmp_path / "a" / "0.array_record", greys(range(20)))
    array_record(tmp_path / "a" / "1.array_record", [*greys(range(9)), record, *greys(range(9))])
    with pytest.raises(error, match=f"1.array_record, {words}"):
        split(spec(tmp_path, "a"))


def test_a_damaged_file_is_named(tmp_path):
    file = array_record(tmp_path / "train.array_record", greys(range(41)))
    whole = bytearray(file.read_bytes())
    whole[1000] ^= 255
    file.write_bytes(whole)
    with pytest.raises(BadImage, match=r"train\.array_record, row \d+: "):
        split(spec(tmp_path))


def test_planning_loads_no_heavy_library(tmp_path):
    array_record(tmp_path / "train.array_record", greys(range(40)))
    spec(tmp_path)
    code = "import sys; from scalectl.orchestrator.experiment.reading import read; read(sys.argv[1]);"
    code += "print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "experiments.yaml"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.translate(str.maketrans("", "", "[]',\n")).split())
    assert loaded and not loaded & (HEAVY | {"numpy", "pyarrow", "tensorflow", "tensorflow_datasets", "google"})
