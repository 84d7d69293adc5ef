"""Columns by their names and layouts, labels as words, and the sources that files are published as."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pictures import grey, greys, layout, levels, refusal, study, write

from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.split import split
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import DataSpec

WORDS = ("ant", "bee", "cat")
PICTURES = [grey(level) for level in range(30)]
LABELS = [level % 3 for level in range(30)]

pytestmark = pytest.mark.usefixtures("own_cache")


def spec(folder: Path, source: str = "parquet:train.parquet", more: str = "") -> DataSpec:
    return study(folder, source, more).cells[0].run.trunk.data


def labelled(data: DataSpec) -> dict[int, Any]:
    """The label of each image by its level of grey."""
    parts = split(data)
    return {
        level: label
        for part in (parts.pool, parts.held_out)
        for level, label in zip(levels(part.pixels[:]), part.labels[:].tolist(), strict=True)
    }


EXPECTED = {level: level % 3 for level in range(30)}


def table(image: Any, label: Any, image_name: str = "image", label_name: str = "label") -> pa.Table:
    return pa.table({image_name: image, label_name: label})


IMAGES = {
    "struct": pa.array([{"bytes": picture, "path": None} for picture in PICTURES]),
    "struct of large bytes": pa.array(
        [{"bytes": picture} for picture in PICTURES], pa.struct([("bytes", pa.large_binary())])
    ),
    "bytes": pa.array(PICTURES),
    "large bytes": pa.array(PICTURES, pa.large_binary()),
    "view of bytes": pa.array(PICTURES, pa.binary_view()),
    "dictionary": pa.array(PICTURES).dictionary_encode(),
}
SINGLE = {
    "small": pa.array(LABELS, pa.uint8()),
    "dictionary": pa.array(LABELS).dictionary_encode(),
    "words": pa.array([WORDS[label] for label in LABELS]),
    "view of words": pa.array([WORDS[label] for label in LABELS], pa.string_view()),
    "dictionary of words": pa.array([WORDS[label] for label in reversed(LABELS)][::-1]).dictionary_encode(),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_every_layout_of_pictures_reads_the_same(image, tmp_path):
    write(tmp_path / "train.parquet", table(image, LABELS))
    assert labelled(spec(tmp_path)) == EXPECTED


@pytest.mark.parametrize("label", SINGLE.values(), ids=SINGLE)
def test_every_layout_of_labels_reads_the_same(label, tmp_path):
    write(tmp_path / "train.parquet", table(IMAGES["struct"], label))
    data = spec(tmp_path)
    assert data.num_classes == 3 and labelled(data) == EXPECTED


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int16()),
        pa.large_list(pa.int64()),
        pa.list_(pa.int64(), 2),
        pa.list_view(pa.int64()),
        pa.large_list_view(pa.int32()),
        pa.list_(pa.string()),
    ],
    ids=str,
)
def test_every_layout_of_lists_keeps_every_label(kind, tmp_path):
    several = [[level % 3, 3] for level in range(30)]
    values: Any = several
    if pa.types.is_string(kind.value_type):
        values = [[(*WORDS, "dog")[label] for label in row] for row in several]
    write(tmp_path / "train.parquet", table(IMAGES["struct"], pa.array(values, kind)))
    expected = {level: np.isin(range(4), row).astype(int).tolist() for level, row in enumerate(several)}
    assert labelled(spec(tmp_path)) == expected


def test_columns_are_found_by_the_names_that_published_files_have(tmp_path):
    for names in (("img", "label"), ("image", "fine_label"), ("image.bytes", "labels"), ("picture", "label")):
        write(tmp_path / "train.parquet", table(IMAGES["bytes"], LABELS, *names))
        assert labelled(spec(tmp_path)) == EXPECTED


def test_a_study_names_columns_and_other_ones_are_other_runs(tmp_path):
    made = table(IMAGES["struct"], LABELS, "img", "fine_label").append_column("coarse", pa.array([0, 1] * 15))
    write(tmp_path / "train.parquet", made)
    fine, coarse = spec(tmp_path), spec(tmp_path, more=", columns: {label: coarse}")
    assert labelled(fine) == EXPECTED and labelled(coarse) == {level: level % 2 for level in range(30)}
    assert spec(tmp_path, more=", columns: {image: img, label: fine_label}") == fine
    assert fine.content != coarse.content
    assert "no column breed; there are img (struct), fine_label (int64)" in refusal(
        tmp_path, more=", columns: {label: breed}"
    )


def described(made: pa.Table, names: Any) -> pa.Table:
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    return made.replace_schema_metadata({"huggingface": json.dumps(features)})


@pytest.mark.parametrize("kept", [b"null", b"{", b"[]", b'{"info": null}', b'{"info": {"features": null}}', b"\xff"])
def test_metadata_that_are_null_or_broken_are_ignored(kept, tmp_path):
    write(tmp_path / "train.parquet", table(IMAGES["struct"], LABELS).replace_schema_metadata({b"huggingface": kept}))
    assert labelled(spec(tmp_path)) == EXPECTED
    write(tmp_path / "train.parquet", described(table(IMAGES["struct"], LABELS), None))
    assert spec(tmp_path).num_classes == 3


def test_test_files_that_name_a_class_differently_are_refused(tmp_path):
    write(tmp_path / "train.parquet", described(table(IMAGES["struct"], LABELS), ["ant", "bee", "cat"]))
    write(tmp_path / "test.parquet", described(layout([grey(99)], [0]), ["ant", "cat", "bee"]))
    words = refusal(tmp_path, more=", test: test.parquet")
    assert "data.test: class 1 is 'bee' in parquet:train.parquet and 'cat' in data.test" in words


def test_words_of_a_test_split_have_the_numbers_of_the_training_split(tmp_path):
    write(tmp_path / "train.parquet", table(IMAGES["struct"], SINGLE["words"]))
    write(tmp_path / "test.parquet", layout([grey(101), grey(102)], ["cat", "bee"]))  # no ant
    held_out = split(spec(tmp_path, more=", test: test.parquet")).held_out
    assert dict(zip(levels(held_out.pixels[:]), held_out.labels[:].tolist(), strict=True)) == {101: 2, 102: 1}
    write(tmp_path / "test.parquet", layout([grey(101)], ["dog"]))
    assert "'dog' is no class of the training images" in refusal(tmp_path, more=", test: test.parquet")


def loose(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for level in range(30):
        (folder / f"{level}.png").write_bytes(PICTURES[level])


def csv_with_words(folder: Path) -> str:
    loose(folder / "shown")
    lines = [f"shown/{level}.png,{WORDS[level % 3]}" for level in range(30)]
    (folder / "all.csv").write_text("\ufefffilename,class\r\n" + "\r\n".join(lines))  # as a spreadsheet saves it
    return "csv:all.csv"


def csv_without_header(folder: Path) -> str:
    loose(folder / "shown")
    (folder / "all.txt").write_text("".join(f"shown/{level}.png {level % 3}\n" for level in range(30)))
    return "csv:all.txt"


def shards(folder: Path) -> str:
    (folder / "shards").mkdir()
    for number in range(2):
        with tarfile.open(folder / "shards" / f"{number:06d}.tar", "w") as shard:
            for level in range(15 * number, 15 * number + 15):
                parts = {"PNG": PICTURES[level], "cls": f"{level % 3}\n".encode(), "json": b"{}"}
                for ending, content in parts.items():
                    member = tarfile.TarInfo(f"a.b/{level:04d}.{ending}")
                    member.size = len(content)
                    shard.addfile(member, io.BytesIO(content))
    return "webdataset:shards"


def saved(folder: Path, made: pa.Table | None = None, name: str = "saved") -> str:
    made = described(table(IMAGES["struct"], LABELS), list(WORDS)) if made is None else made
    (folder / name).mkdir(parents=True)
    place = str(folder / name / "data-00000-of-00001.arrow")
    with pa.OSFile(place, "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=7)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": "train"}
    (folder / name / "state.json").write_text(json.dumps(state))
    return f"save_to_disk:{name}"


@pytest.mark.parametrize("made", [csv_with_words, csv_without_header, shards, saved])
def test_every_image_of_a_published_form_is_read_once_with_its_label(made, tmp_path):
    source = made(tmp_path)
    data = spec(tmp_path, source)
    assert data.num_classes == 3 and labelled(data) == EXPECTED
    assert identity_of(tmp_path, source) == identity_of(
        tmp_path, f"{source.partition(':')[0]}:{tmp_path}/{source.partition(':')[2]}"
    )


def identity_of(folder: Path, source: str) -> str:
    spec(folder, source)
    return identity(read(folder / "experiments.yaml").cells[0].run)


def test_a_saved_dict_is_read_by_split(tmp_path):
    made = described(table(IMAGES["struct"], LABELS), list(WORDS))
    saved(tmp_path, made, "both/train")
    saved(tmp_path, described(layout([grey(99)], [2]), list(WORDS)), "both/test")
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    parts = split(spec(tmp_path, "save_to_disk:both"))
    assert (len(parts.pool), levels(parts.held_out.pixels[:]), parts.held_out.labels[:].tolist()) == (30, [99], [2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\n1.png,0\n2.png,\n", "all.csv, line 3: no picture or no label"),
        ("file,label\n1.png,0\nnone.png,1\n", "all.csv, line 3: "),
        ("file,label\n1.png,0\n1.png,1\n", "line 3: 1.png is on line 2 already"),
        (
            "id,breed\n1.png,0\n",
            "line 1: which column has the pictures? Write data.columns: {image: NAME}; there are id",
        ),
        ("", "no lines"),
    ],
)
def test_mistakes_of_a_table_are_named_with_their_line(text, words, tmp_path):
    loose(tmp_path)
    (tmp_path / "all.csv").write_text(text)
    assert words in refusal(tmp_path, "csv:all.csv")


def test_a_sample_without_a_label_is_named(tmp_path):
    (tmp_path / "one.tar").write_bytes(b"")
    with tarfile.open(tmp_path / "one.tar", "w") as shard:
        member = tarfile.TarInfo("0001.png")
        member.size = len(PICTURES[0])
        shard.addfile(member, io.BytesIO(PICTURES[0]))
    assert "one.tar, sample 0001: no label among png; data.columns: {label: cls}" in refusal(
        tmp_path, "webdataset:one.tar"
    )


def flat(folder: Path, lines: list[str], name: str = "val.txt") -> str:
    for number, word in enumerate(WORDS):
        (folder / "train" / word).mkdir(parents=True, exist_ok=True)
        for level in range(10):
            (folder / "train" / word / f"{level}.png").write_bytes(grey(10 * number + level))
    (folder / "val").mkdir(exist_ok=True)
    for number in range(3):
        (folder / "val" / f"ILSVRC2012_val_{number + 1:08d}.JPEG").write_bytes(grey(100 + number))
    (folder / name).write_text("\n".join(lines))
    return f", test: val, test_labels: {name}"


@pytest.mark.parametrize(
    "lines",
    [
        [f"ILSVRC2012_val_{number + 1:08d}.JPEG {2 - number}" for number in range(3)],
        ["cat", "bee", "ant"],
        [
            "ImageId,PredictionString",
            *(f"ILSVRC2012_val_{number + 1:08d},{WORDS[2 - number]} 1 2 3 4" for number in (2, 0, 1)),
        ],
    ],
    ids=["names and numbers", "classes alone", "table"],
)
def test_a_flat_folder_has_the_labels_of_its_list(lines, tmp_path):
    held_out = split(spec(tmp_path, "folder:train", flat(tmp_path, lines))).held_out
    assert dict(zip(levels(held_out.pixels[:]), held_out.labels[:].tolist(), strict=True)) == {100: 2, 101: 1, 102: 0}


def test_lists_that_number_classes_in_an_order_of_their_own_are_refused(tmp_path):
    more = flat(tmp_path, ["1", "2", "3"])
    assert "labels are 1 to 3, and classes 0 to 2 by name" in refusal(tmp_path, "folder:train", more)
    more = flat(tmp_path, ["1", "2"])
    assert "2 labels, and 3 pictures" in refusal(tmp_path, "folder:train", more)


def test_keys_that_a_source_has_no_use_for_are_refused(tmp_path):
    greys(tmp_path / "train.parquet", range(30))
    assert "digits has no columns" in refusal(tmp_path, "digits", ", columns: {label: x}")
    assert "a list of labels is read for the test split of folder:PATH" in refusal(
        tmp_path, more=", test_labels: val.txt"
    )


def test_a_changed_table_is_other_data(tmp_path):
    source = csv_without_header(tmp_path)
    planned = spec(tmp_path, source)
    (tmp_path / "all.txt").write_text("".join(f"shown/{level}.png {level % 2}\n" for level in range(30)))
    with pytest.raises(Unreadable, match="changed since the study was planned"):
        split(planned)
