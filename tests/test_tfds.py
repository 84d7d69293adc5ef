"""Datasets as TensorFlow Datasets prepares them, read without it."""

from pathlib import Path

import pytest
from pictures import STUDY, grey, levels
from records import dataset, example, greys

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec

LABEL = {"label": {"classLabel": {"numClasses": "5"}}}
SPLITS = {"train": [greys(range(15)), greys(range(15, 40))], "test": [greys(range(100, 110))]}
FORMS = ("array_record", "tfrecord")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))


def prepared(folder: Path, form: str = "array_record", version: str = "1.2.0", **splits: list[list[bytes]]) -> Path:
    return dataset(folder / "data", splits or SPLITS, form, LABEL, version)


def spec(folder: Path, source: str = "tfds:small", more: str = "") -> DataSpec:
    (folder / "experiments.yaml").write_text(STUDY.format(source=source, more=more))
    return read(folder / "experiments.yaml").cells[0].run.trunk.data


def refusal(folder: Path, source: str = "tfds:small", more: str = "") -> str:
    with pytest.raises(InvalidExperiment) as caught:
        spec(folder, source, more)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_the_training_split_is_trained_on_and_the_test_split_held_out(form, tmp_path):
    prepared(tmp_path, form)
    planned = spec(tmp_path)
    assert (planned.num_classes, planned.held_out) == (5, 10)
    found = split(planned)
    assert sorted(levels(found.pool.pixels[:])) == list(range(40))
    assert sorted(levels(found.held_out.pixels[:])) == list(range(100, 110))
    assert found.pool.labels[:].tolist() == [level % 3 for level in levels(found.pool.pixels[:])]


def test_validation_is_held_out_where_there_is_no_test_split(tmp_path):
    prepared(tmp_path, train=SPLITS["train"], validation=[greys([200, 201])])
    assert sorted(levels(split(spec(tmp_path)).held_out.pixels[:])) == [200, 201]


def test_a_split_is_held_out_by_its_name(tmp_path):
    prepared(tmp_path, **SPLITS, validation=[greys([200, 201])])
    assert sorted(levels(split(spec(tmp_path, more=", test: validation")).held_out.pixels[:])) == [200, 201]
    assert "1.2.0: no split valid; there are train, test, validation" in refusal(tmp_path, more=", test: valid")


def test_training_images_are_held_out_where_there_is_one_split(tmp_path):
    prepared(tmp_path, train=SPLITS["train"])
    found = split(spec(tmp_path))
    assert sorted(levels(found.pool.pixels[:]) + levels(found.held_out.pixels[:])) == list(range(40))


def test_the_newest_version_is_read_unless_one_is_named(tmp_path):
    prepared(tmp_path, version="2.9.0", train=[greys(range(9))])
    prepared(tmp_path, version="2.10.0", train=[greys(range(19))])
    sizes = [len(split(spec(tmp_path, source)).pool) for source in ("tfds:small", "tfds:small:2.9.0")]
    assert sizes == [15, 7]


def test_a_dataset_that_is_not_there_is_refused_with_the_command_that_prepares_it(tmp_path):
    home = tmp_path / "data"
    words = f"no dataset prepared there; run: tfds build other --file_format=array_record --data_dir={home}"
    assert words in refusal(tmp_path, "tfds:other")
    assert "tfds build other:1.0.0 --file_format" in refusal(tmp_path, "tfds:other:1.0.0")
    assert "names no dataset" in refusal(tmp_path, "tfds:other:newest")


def test_a_missing_shard_is_refused(tmp_path):
    next(prepared(tmp_path).glob("*train*00001-of*")).unlink()
    assert "1 of the 2 files of train are there" in refusal(tmp_path)


def test_another_format_of_files_is_refused(tmp_path):
    info = prepared(tmp_path) / "dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"riegeli"'))
    assert "its files are riegeli; run: tfds build small:1.2.0 --file_format=array_record" in refusal(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_picture_is_named_with_file_and_row(form, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.survey.LOOKED_AT", 0)  # planning sees none of them
    prepared(tmp_path, form, train=[greys(range(9)), [*greys(range(4)), example(image=grey(4)[:60], label=[1])]])
    with pytest.raises(BadImage, match=rf"small-train\.{form}-00001-of-00002, row 4: "):
        split(spec(tmp_path))


def test_a_tfrecord_file_that_is_cut_off_is_named(tmp_path):
    file = next(prepared(tmp_path, "tfrecord").glob("*train*00001-of*"))
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(BadImage, match="00001-of-00002, row 24: cut off"):
        split(spec(tmp_path))


def test_other_counts_than_described_are_refused(tmp_path):
    info = prepared(tmp_path, "tfrecord") / "dataset_info.json"
    info.write_text(info.read_text().replace('"25"', '"26"'))
    with pytest.raises(Unreadable, match="00001-of-00002: 25 records, not 26"):
        split(spec(tmp_path))
