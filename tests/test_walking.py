"""Patterns of files: the same answers as Python's own, and an end where those would look at a whole machine."""

from glob import glob
from pathlib import Path

import pytest

from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.walking import Walk

PATTERNS = [
    "*",
    "**/*",
    "**",
    "a*/*.parquet",
    "**/t-?.parquet",
    ".h*/*",
    "a[12]/**/*.parquet",
    "a1/t-0.parquet",
    "no/*",
]


@pytest.fixture
def tree(tmp_path):
    for folder in ("a1", "a2/b/c", ".hidden", "t-1.parquet"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("t-0.parquet", "t-12.parquet", ".t-3.parquet", "notes.txt"):
            (tmp_path / folder / name).touch()
    (tmp_path / "link").symlink_to("a2")
    (tmp_path / "nowhere").symlink_to("gone")
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_the_files_that_glob_finds(tree, pattern):
    expected = {Path(path) for path in glob(str(tree / pattern), recursive=True)}  # noqa: PTH207 - the one that is compared
    assert set(Walk(str(tree / pattern)).matches()) == expected


def test_a_folder_has_the_files_that_rglob_finds(tree):
    expected = {path for path in tree.rglob("*.parquet") if path.is_file()}
    assert set(Walk(str(tree)).below("*.parquet")) == expected and len(expected) == 12


def test_a_walk_over_too_much_is_refused(tree):
    assert len(list(Walk(str(tree / "**"), most=40).matches())) > 20
    for walk in (Walk(str(tree / "**"), most=9).matches(), Walk(str(tree), most=9).below("*.parquet")):
        with pytest.raises(Unreadable, match="more than 9 files and folders"):
            list(walk)


def test_links_in_a_circle_come_to_an_end(tree):
    for folder in ("a1", "a2"):
        for n in range(3):
            (tree / folder / f"loop-{n}").symlink_to("..")
    with pytest.raises(Unreadable, match="name a folder nearer"):
        list(Walk(str(tree / "**" / "*.parquet"), most=10_000).matches())
