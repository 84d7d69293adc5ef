"""The same files twice in one process or one cache: each study has its own bounds, its own place, its own check."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import grey, levels, study

from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
