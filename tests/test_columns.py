"""Files with several columns of labels or pictures: the one that a study names is read, and makes other runs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pictures import grey, jpeg, layout, levels, study, write
from records import array_record, dataset, example, shards

from scalectl.trainer.data.split import split
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import RunSpec

SOURCES = ("parquet", "array_record", "tfds")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


def written(folder: Path, source: str, labels: dict[str, Sequence[Any]]) -> str:
    """Thirty pictures with columns or features of labels, as a source; in records each label is one number."""
    pictures = [grey(level) for level in range(30)]
    if source == "parquet":
        table = layout(pictures, range(30)).drop_columns("label")
        for name, values in labels.items():
            table = table.append_column(name, pa.array(values))
        return f"parquet:{write(folder / 'train.parquet', table)}"
    rows = [
        example(image=picture, **{name: [values[row]] for name, values in labels.items()})
        for row, picture in enumerate(pictures)
    ]
    if source == "tfds":
        dataset(folder / "tfds", {"train": [rows]}, "array_record", {"label": {}}, "1.0.0")
        return "tfds:small"
    return f"array_record:{array_record(folder / 'train.array_record', rows)}"


def run(folder: Path, source: str, more: str = "") -> RunSpec:
    return study(folder, source, f", num_classes: 5{more}").cells[0].run


def labelled(one: RunSpec) -> dict[int, Any]:
    """The label of each training image by its level of grey."""
    pool = split(one.trunk.data).pool
    return dict(zip(levels(pool.pixels[:]), pool.labels[:].tolist(), strict=True))


@pytest.mark.parametrize("source", SOURCES)
def test_each_of_two_columns_of_labels_is_a_run_of_its_own(source, tmp_path):
    columns = {"label": [level % 5 for level in range(30)], "labels": [level % 3 for level in range(30)]}
    where = written(tmp_path, source, columns)
    found = run(tmp_path, where)
    assert identity(found) == identity(run(tmp_path, where, ", columns: {label: label}"))
    assert all(label == level % 5 for level, label in labelled(found).items())
    other = run(tmp_path, where, ", columns: {label: labels}")
    assert identity(other) != identity(found)
    several = [[float(place == level % 3) for place in range(5)] for level in range(30)]  # `labels` of a record
    expected = columns["labels"] if source == "parquet" else several
    assert all(label == expected[level] for level, label in labelled(other).items())


@pytest.mark.parametrize("source", SOURCES)
def test_a_column_that_is_named_although_it_would_be_found_is_the_same_run(source, tmp_path):
    where = written(tmp_path, source, {"labels": [level % 3 for level in range(30)]})
    more = ", columns: {image: image, label: labels}"
    assert identity(run(tmp_path, where)) == identity(run(tmp_path, where, more))


def test_a_column_that_holds_no_labels_changes_no_run(tmp_path):
    numbers = [level % 3 for level in range(30)]
    where = written(tmp_path, "parquet", {"label": [0.5] * 30, "labels": numbers})
    named = run(tmp_path, where, ", columns: {label: labels}")
    file = (tmp_path / "train.parquet").read_bytes()
    footer = file[-8 - int.from_bytes(file[-8:-4], "little") : -8]
    words = f"{len(file)} {hashlib.sha256(footer).hexdigest()}\n"
    assert named.trunk.data.content == hashlib.sha256(words.encode()).hexdigest()[:12]  # as it always was
    assert all(label == level % 3 for level, label in labelled(named).items())


def test_each_of_two_pictures_of_equal_length_in_a_sample_is_a_run_of_its_own(tmp_path):
    def bmp(level: int) -> bytes:
        return jpeg((level, level, level), kind="BMP")

    samples = [{"left.bmp": bmp(n), "right.bmp": bmp(100 + n), "cls": b"%d" % (n % 3)} for n in range(30)]
    where = shards(tmp_path / "two.tar", samples)
    left, right = (run(tmp_path, where, f", columns: {{image: {side}.bmp}}") for side in ("left", "right"))
    assert identity(left) != identity(right)
    assert max(labelled(left)) < 100 <= min(labelled(right))
    alone = [{"left.bmp": sample["left.bmp"], "cls": sample["cls"]} for sample in samples]
    assert identity(left) == identity(run(tmp_path, shards(tmp_path / "one.tar", alone)))  # which is as it was
