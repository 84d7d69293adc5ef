"""Folders of pictures, one for each class."""

import shutil
from pathlib import Path

import pytest
from pictures import STUDY, grey, levels

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec


def pictures(folder: Path, classes: dict[str, range]) -> Path:
    for name, shown in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for level in shown:
            (folder / name / f"{level}.PNG").write_bytes(grey(level))
    return folder


def spec(folder: Path, more: str = "") -> DataSpec:
    (folder / "experiments.yaml").write_text(STUDY.format(source="folder:train", more=more))
    return read(folder / "experiments.yaml").cells[0].run.trunk.data


def test_every_picture_is_read_once_with_the_class_of_its_folder(tmp_path):
    pictures(tmp_path / "train", {"b": range(10, 30), "a": range(10), ".hidden": range(3), "c": range(0)})
    (tmp_path / "train" / "a" / "notes.txt").write_text("no picture")
    found = split(spec(tmp_path))
    pool, apart = (levels(part.pixels[:]) for part in (found.pool, found.held_out))
    assert sorted(pool + apart) == list(range(30)) and len(apart) == 6
    assert found.pool.labels[:].tolist() == [int(level >= 10) for level in pool]
    assert spec(tmp_path).num_classes == 3


def test_held_out_pictures_are_of_the_test_split_where_there_is_one(tmp_path):
    pictures(tmp_path / "train", {"a": range(10), "b": range(10, 30)})
    pictures(tmp_path / "test", {"a": range(40, 43), "b": range(50, 55)})
    found = split(spec(tmp_path, ", test: test"))
    assert (len(found.pool), sorted(levels(found.held_out.pixels[:]))) == (30, [40, 41, 42, 50, 51, 52, 53, 54])


def test_a_test_split_of_other_classes_is_refused(tmp_path):
    pictures(tmp_path / "train", {"a": range(10), "b": range(10, 30)})
    pictures(tmp_path / "test", {"a": range(40, 43), "z": range(50, 55)})
    with pytest.raises(InvalidExperiment, match="of the folders of folder:train it lacks b and has z besides"):
        spec(tmp_path, ", test: test")
    pictures(tmp_path / "test", {"b": range(0)})
    (tmp_path / "test" / "z").rename(tmp_path / "elsewhere")
    assert split(spec(tmp_path, ", test: test")).held_out.labels[:].tolist() == [0, 0, 0]
    (tmp_path / "test" / "b").rmdir()
    (tmp_path / "test").rename(tmp_path / "train" / "val")
    pictures(tmp_path / "train" / "train", {"a": range(10), "b": range(10, 30)})
    for name in "ab":
        shutil.rmtree(tmp_path / "train" / name)
    with pytest.raises(InvalidExperiment, match="of the folders of folder:train its split validation lacks b"):
        spec(tmp_path)


def test_a_moved_folder_is_the_same_data_and_a_changed_one_is_not(tmp_path):
    for place in ("here", "there"):
        pictures(tmp_path / place / "train", {"a": range(10)})
    here, there = (spec(tmp_path / place) for place in ("here", "there"))
    assert here == there and here.path != there.path
    pictures(tmp_path / "there" / "train", {"a": range(11)})
    assert spec(tmp_path / "there") != here
    with pytest.raises(Unreadable, match="changed since the study was planned"):
        split(DataSpec(**vars(there) | {"subset_seed": 7})).pool.pixels[:]


@pytest.mark.parametrize(
    ("made", "words"), [(None, "no such folder"), ({}, "no pictures"), ({"a": range(0)}, "no pict")]
)
def test_a_folder_without_pictures_is_refused(made, words, tmp_path):
    if made is not None:
        pictures(tmp_path / "train", made)
        (tmp_path / "train").mkdir(exist_ok=True)
    with pytest.raises(InvalidExperiment, match=f"train: {words}"):
        spec(tmp_path)


def test_a_corrupt_picture_is_named(tmp_path):
    pictures(tmp_path / "train", {"a": range(20)})
    planned = spec(tmp_path, ", held_out: 1")
    (tmp_path / "train" / "a" / "13.PNG").write_bytes(grey(13)[:60])
    with pytest.raises(BadImage, match=r"train/a/13\.PNG: "):
        split(planned).pool.pixels[:]
