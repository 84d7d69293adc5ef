"""The same files twice in one process or one cache: each study has its own bounds, its own place, its own check."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import grey, levels, study
from PIL import Image
from records import dataset, example, shards

from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec

pytestmark = pytest.mark.usefixtures("own_cache")


def folder(where: Path, count: int) -> str:
    """A folder of so many pictures of three classes, as a source."""
    for level in range(count):
        file = where / f"class{level % 3}" / f"{level}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(grey(level))
    return f"folder:{where}"


def data(where: Path, source: str, more: str = "") -> DataSpec:
    return study(where, source, more).cells[0].run.trunk.data


def test_each_of_two_data_sets_of_the_same_files_has_its_own_bound(tmp_path):
    wide = data(tmp_path, folder(tmp_path / "shown", 30))
    narrow = replace(wide, max_pixels=255)  # of 16 x 16
    assert narrow == wide  # no bound is part of what a run is
    for spec in (wide, narrow, wide):
        if spec is narrow:
            with pytest.raises(BadImage, match=r"more than data\.max_pixels, 255"):
                split(spec).pool.pixels[:4]
        else:
            assert len(split(spec).pool.pixels[:4]) == 4


def test_files_that_were_moved_are_read_where_they_are(tmp_path):
    before = data(tmp_path, folder(tmp_path / "here", 31))
    shown = levels(split(before).pool.pixels[:])
    shutil.move(tmp_path / "here", tmp_path / "there")
    after = data(tmp_path, f"folder:{tmp_path / 'there'}")
    assert after == before and levels(split(after).pool.pixels[:]) == shown


def noise(seed: int) -> bytes:
    """A picture of some 5 KB."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def loose(where: Path) -> str:
    for number in range(30):
        file = where / f"class{number % 3}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(noise(number))
    return f"folder:{where}"


def listed(where: Path) -> str:
    loose(where)
    lines = [f"class{number % 3}/{number}.png,{number % 3}\n" for number in range(30)]
    (where / "all.csv").write_text("file,label\n" + "".join(lines))
    return f"csv:{where / 'all.csv'}"


def tar(where: Path) -> str:
    where.mkdir()
    samples = [{"png": noise(number), "cls": b"%d" % (number % 3)} for number in range(30)]
    return shards(where / "all.tar", samples)


def records(where: Path) -> str:
    rows = [example(image=noise(number), label=[number % 3]) for number in range(30)]
    dataset(where, {"train": [rows]}, "tfrecord", {"label": {}}, "1.0.0")
    return "tfds:small"


@pytest.mark.parametrize("made", [loose, listed, tar, records])
def test_a_copy_that_is_damaged_is_found_though_the_original_was_sound(made, tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    monkeypatch.setenv("TFDS_DATA_DIR", str(here))
    more = ", num_classes: 3" if made is records else ""
    sound = data(tmp_path, made(here), more)
    assert len(split(sound).pool.labels[:]) > 0
    shutil.copytree(here, there)
    copy = replace(sound, path=str(there / Path(sound.path).relative_to(here)))
    assert len(split(copy).pool.labels[:]) > 0
    shutil.copytree(here, tmp_path / "damaged")
    cut = noise(0)[:2000].ljust(len(noise(0)), b"\0")  # as by a copy that stopped
    for file in (tmp_path / "damaged").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(noise(0), cut))
    damaged = replace(sound, path=str(tmp_path / "damaged" / Path(sound.path).relative_to(here)))
    with pytest.raises(BadImage, match="broken data stream"):
        split(damaged).pool.labels[:]
