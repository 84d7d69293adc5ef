"""Layouts that other libraries write: datasets 5.2's save_to_disk and to_parquet, webdataset 1.0's ShardWriter.

Each was compared with files that these libraries wrote: schemas, metadata, state.json and names of members are theirs.
"""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pictures import grey, levels, refusal, study, write

from scalectl.analysis.drawing.labels import data_name
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.trainer.data.split import split

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["ant", "bee", "cat"]

pytestmark = pytest.mark.usefixtures("own_cache")


def rows(experiment: Experiment) -> dict[int, Any]:
    """The label of each image by its level of grey."""
    parts = split(experiment.cells[0].run.trunk.data)
    return {
        level: label
        for part in (parts.pool, parts.held_out)
        for level, label in zip(levels(part.pixels[:]), part.labels[:].tolist(), strict=True)
    }


def dataset(images: Sequence[Mapping[str, Any]], labels: Sequence[int | None]) -> pa.Table:
    features = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
    schema = pa.schema([("image", IMAGE), ("label", pa.int64())])
    kept = {"huggingface": json.dumps({"info": {"features": features}})}
    columns = [pa.array(images, IMAGE), pa.array(labels, pa.int64())]
    return pa.Table.from_arrays(columns, schema=schema.with_metadata(kept))


def shown(numbers: Sequence[int]) -> pa.Table:
    return dataset([{"bytes": grey(number)} for number in numbers], [number % 3 for number in numbers])


def save_to_disk(folder: Path, shards: Sequence[pa.Table]) -> None:
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-{len(shards):05d}.arrow" for number in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, shard.schema) as writer:
            writer.write_table(shard)
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "04daf3d15a874edf",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    (folder / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True))
    (folder / "dataset_info.json").write_text("{}")


def test_shards_of_a_saved_dataset_are_read_in_order(tmp_path):
    save_to_disk(tmp_path / "set", [shown(range(12)), shown(range(12, 20)), shown(range(20, 30))])
    assert rows(study(tmp_path, "save_to_disk:set")) == {number: number % 3 for number in range(30)}


def test_an_empty_split_of_a_saved_dict_is_an_error_where_it_would_be_read(tmp_path):
    for name, empty in (("kept", "unsupervised"), ("lost", "test")):
        save_to_disk(tmp_path / name / "train", [shown(range(30))])
        save_to_disk(tmp_path / name / empty, [])  # as datasets writes it, and can't read it itself
        (tmp_path / name / "dataset_dict.json").write_text(json.dumps({"splits": ["train", empty]}))
    assert len(rows(study(tmp_path, "save_to_disk:kept"))) == 30
    assert "lost/test: no images" in refusal(tmp_path, "save_to_disk:lost")


def test_labels_that_a_saved_dataset_hides_are_an_error(tmp_path):
    pictures = [{"bytes": grey(number)} for number in range(30)]
    save_to_disk(tmp_path / "hidden", [dataset(pictures, [-1] * 30)])  # as test splits without labels have them
    assert "data-00000-of-00001.arrow: a label is -1" in refusal(tmp_path, "save_to_disk:hidden")
    save_to_disk(tmp_path / "missing", [dataset(pictures, [0] * 20 + [None] * 10)])
    assert "data-00000-of-00001.arrow, row 20: no label" in refusal(tmp_path, "save_to_disk:missing")


def test_pictures_that_are_only_paths_are_named(tmp_path):
    made = dataset([{"path": f"/home/me/{number}.png"} for number in range(30)], [0] * 30)
    write(tmp_path / "train.parquet", made)
    save_to_disk(tmp_path / "set", [made])
    for source in ("parquet:train.parquet", "save_to_disk:set"):
        words = refusal(tmp_path, source)
        assert "column image has the paths of pictures and not their bytes" in words and "/home/me/0.png" in words


def shard(file: Path, samples: Sequence[Mapping[str, bytes]]) -> None:
    with tarfile.open(file, "w") as tar:
        for number, sample in enumerate(samples):
            for ending, content in sorted(sample.items()):  # as ShardWriter sorts them
                member = tarfile.TarInfo(f"sample{number:06d}.{ending}")
                member.size, member.mode, member.uname, member.gname = len(content), 0o444, "bigdata", "bigdata"
                tar.addfile(member, io.BytesIO(content))


def test_labels_of_shards_are_files_or_fields_of_json(tmp_path):
    words = [json.dumps({"label": NAMES[number % 3], "tags": [0, 1]}).encode() for number in range(30)]
    samples = [{"png": grey(number), "json": words[number]} for number in range(30)]
    shard(tmp_path / "a-000000.tar", samples)
    assert "no label among json, png; data.columns: {label: json.label}" in refusal(tmp_path, "webdataset:a-000000.tar")
    named = study(tmp_path, "webdataset:a-000000.tar", ", columns: {label: json.label}")
    assert rows(named) == {number: number % 3 for number in range(30)}
    lists = refusal(tmp_path, "webdataset:a-000000.tar", ", columns: {label: json.tags}")
    assert "sample sample000000: sample000000.json holds no label" in lists


def test_the_number_of_a_sample_is_no_label(tmp_path):
    shard(tmp_path / "a.tar", [{"png": grey(number), "index": str(number).encode()} for number in range(30)])
    assert "no label among index, png" in refusal(tmp_path, "webdataset:a.tar")
    assert len(rows(study(tmp_path, "webdataset:a.tar", ", columns: {label: index}"))) == 30


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"source": ["parquet"] * 2, "data_name": ["pets", "pets"]}, "pets"),
        ({"source": ["parquet"] * 2, "data_name": ["parquet", "parquet"]}, ""),  # a kind says nothing
        ({"source": ["parquet"] * 2, "data_name": ["pets", "birds"]}, ""),
        ({"source": ["digits"] * 2, "data_name": ["", ""]}, "digits"),  # a store of an older version
        ({"source": ["parquet", None], "data_name": ["pets", None]}, "pets"),
        ({"source": ["digits"]}, "digits"),
        ({}, ""),
    ],
)
def test_figures_have_the_name_of_the_data_set_that_all_runs_share(columns, name):
    assert data_name(pd.DataFrame(columns)) == name


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"


def test_a_pointer_of_git_lfs_is_named_as_what_it_is(tmp_path):
    (tmp_path / "train.parquet").write_bytes(POINTER)
    assert "train.parquet: a pointer of Git LFS" in refusal(tmp_path, "parquet:train.parquet")
    for name in NAMES:
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "set" / name / f"{number}.jpg").write_bytes(grey(number) if number else POINTER)
    assert "0.jpg: a pointer of Git LFS, not the file itself: git lfs pull" in refusal(tmp_path, "folder:set")


def test_of_many_columns_the_first_are_named(tmp_path):
    write(tmp_path / "x.parquet", pa.table({f"pixel{number}": [1.0] for number in range(784)}))
    said = refusal(tmp_path, "parquet:x.parquet")
    assert "pixel11 (double) and 772 more" in said and "pixel12" not in said
    (tmp_path / "x.csv").write_text(",".join(f"pixel{number}" for number in range(784)) + "\n")
    assert "pixel11 and 772 more" in refusal(tmp_path, "csv:x.csv")


def test_a_folder_above_the_folders_of_classes_is_warned_of(tmp_path):
    for name in NAMES:
        (tmp_path / "set" / "inner" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "set" / "inner" / name / f"{number}.png").write_bytes(grey(number))
    warned = [str(warning) for warning in study(tmp_path, "folder:set").warnings]
    assert any("folder:set has one class: inner" in text and "are the classes" in text for text in warned)
    assert not any("one class" in str(warning) for warning in study(tmp_path, "folder:set/inner").warnings)


def test_classes_in_another_order_in_a_split_of_the_source_are_said_of_that_split(tmp_path):
    other = json.dumps({"info": {"features": {"label": {"names": NAMES[::-1], "_type": "ClassLabel"}}}})
    write(tmp_path / "data" / "train.parquet", shown(range(12)))
    write(tmp_path / "data" / "test.parquet", shown(range(20, 26)).replace_schema_metadata({"huggingface": other}))
    said = refusal(tmp_path, "parquet:data")
    assert "class 0 is 'ant' in parquet:data and 'cat' in its split test" in said
