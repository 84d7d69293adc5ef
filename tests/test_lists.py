"""Lists of pictures and labels: what their labels mean, and mistakes in them that would rename classes."""

from dataclasses import replace
from pathlib import Path

import pytest
from pictures import grey, refusal, study
from records import shards

from scalectl.trainer.data import listing
from scalectl.trainer.data.split import split
from scalectl.trainer.selection import Selection

CLASSES = ("cat", "cat big", "dog")

pytestmark = pytest.mark.usefixtures("own_cache")


def listed(folder: Path, lines: list[str], classes: tuple[str, ...] = CLASSES) -> list[int]:
    """The labels of the pictures of a flat folder, in their order, as its list gives them."""
    for number, name in enumerate(classes):
        (folder / "train" / name).mkdir(parents=True)
        for level in range(10):
            (folder / "train" / name / f"{level}.png").write_bytes(grey(10 * number + level))
    (folder / "val").mkdir()
    for number in range(4):
        (folder / "val" / f"{number}.jpg").write_bytes(grey(100 + number))
    (folder / "val.txt").write_text("\n".join(lines))
    source = study(folder, "folder:train", ", test: val, test_labels: val.txt")
    held_out = split(source.cells[0].run.trunk.data).held_out
    found = zip(held_out.source_rows(slice(None)).tolist(), held_out.labels[:].tolist(), strict=True)
    return [label for _, label in sorted(found)]


@pytest.mark.parametrize(
    "lines",
    [
        ["name,label", "0.jpg,cat", "1.jpg,cat big", "2.jpg,dog", "3.jpg,cat big"],
        ["0.jpg\tcat", "1.jpg\tcat big", "2.jpg\tdog", "3.jpg\tcat big"],
        ["0.jpg cat", "1.jpg cat big", "2.jpg dog", '3.jpg "cat big"'],
        ["cat", "cat big", "dog", "cat big"],
        ["name,label", "0.jpg,cat 1 2 3", "1.jpg,cat big", "2.jpg,dog 4 5", "3.jpg,cat big"],
    ],
    ids=["commas", "tabs", "blanks", "alone", "words behind"],
)
def test_a_class_with_a_blank_in_its_name_is_a_label(lines, tmp_path):
    assert listed(tmp_path, lines) == [0, 1, 2, 1]


def test_a_class_with_a_blank_needs_no_other_class_beside_it(tmp_path):
    lines = ["0.jpg,dog", "1.jpg,cat big", "2.jpg,dog", "3.jpg,cat big"]
    assert listed(tmp_path, lines, ("cat big", "dog")) == [1, 0, 1, 0]


@pytest.mark.parametrize("first", ["path label\n", ""])
def test_a_label_that_blanks_would_cut_is_refused_with_its_line(first, tmp_path):
    for level in range(30):
        (tmp_path / f"{level}.png").write_bytes(grey(level))
    lines = [f"{level}.png {'dog' if level < 20 else 'cat big'}\n" for level in range(30)]
    (tmp_path / "all.txt").write_text(first + "".join(lines))
    line = 22 if first else 21
    assert f"all.txt, line {line}: 3 words, and 2 on the first line" in refusal(tmp_path, "csv:all.txt")
    (tmp_path / "all.txt").write_text(first + "".join(lines).replace("cat big", '"cat big"'))
    assert study(tmp_path, "csv:all.txt").cells[0].run.trunk.data.num_classes == 2


STRAYS = [
    ("-1", "'-1' is no label", "holds no label"),
    ("nan", "'nan' is no label", "holds no label"),
    ("-3.0", "'-3.0' is no label", "holds no label"),
    ("unknown", *["the label 'unknown' is a word, and most are numbers: class 10 would come before 2"] * 2),
]


def table(folder: Path, labels: list[str]) -> str:
    """A list of pictures with these labels."""
    for place in range(len(labels)):
        (folder / f"{place}.png").write_bytes(grey(place))
    lines = [f"{place}.png,{label}\n" for place, label in enumerate(labels)]
    (folder / "all.csv").write_text("file,label\n" + "".join(lines))
    return "csv:all.csv"


def tar(folder: Path, labels: list[str]) -> str:
    """A shard of pictures with these labels."""
    samples = [{"png": grey(place), "cls": label.encode()} for place, label in enumerate(labels)]
    return shards(folder / "all.tar", samples)


@pytest.mark.parametrize(("label", "in_a_list", "in_a_shard"), STRAYS)
def test_a_label_that_would_make_words_of_all_numbers_is_refused_with_its_place(label, in_a_list, in_a_shard, tmp_path):
    labels = [str(place % 12) for place in range(40)]
    labels[30] = label
    assert f"all.csv, line 32: {in_a_list}" in refusal(tmp_path, table(tmp_path, labels))
    said = refusal(tmp_path, tar(tmp_path, labels))
    assert "all.tar, sample 0030: " in said and in_a_shard in said


def test_a_number_among_words_is_refused_where_numbers_are_of_classes(tmp_path):
    labels = ["2", *map(str, range(3, 13)), *["dog"] * 29]
    assert "line 2: the label '2' is a number, and most are words" in refusal(tmp_path, table(tmp_path, labels))


@pytest.mark.parametrize(
    "names",
    [
        [str(number) for number in range(12)],
        [*"0123456789abcdefghijklmnopqrst"],
        ["208", "3008", "911", "Golf", "i3"],
        ["ant", "bee", "nana"],
    ],
    ids=["numbers", "characters", "models of cars", "words"],
)
@pytest.mark.parametrize("made", [table, tar])
def test_labels_that_are_sound_are_read(names, made, tmp_path):
    found = study(tmp_path, made(tmp_path, [names[place % len(names)] for place in range(60)]))
    assert found.cells[0].run.trunk.data.num_classes == len(names)


class Counted(str):
    """A text that counts how often texts of its kind are hashed."""

    __slots__ = ()
    hashed = 0

    def __hash__(self) -> int:
        Counted.hashed += 1
        return super().__hash__()


def test_a_column_of_splits_costs_no_work_that_grows_with_the_square_of_the_list(tmp_path, monkeypatch):
    number, table = 500, listing._table
    lines = [f"{place}.png,{place % 5},{'train' if place else 'test'}\n" for place in range(number)]
    for place in range(number):
        (tmp_path / f"{place}.png").touch()
    file = tmp_path / "list.csv"
    file.write_text("file,label,split\n" + "".join(lines))

    def counted(*asked):
        entries, columns = table(*asked)
        return [replace(entry, picture=Counted(entry.picture)) for entry in entries], columns

    monkeypatch.setattr(listing, "_table", counted)
    listing.contents(str(file), Selection())
    assert 0 < Counted.hashed <= 4 * number
