"""Parquet files in a bucket: the same data as on a disk, and what is said where they can't be had."""

import shutil

import numpy as np
import pytest
from bucket import bucket
from pictures import STUDY, greys

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data import registry, storage
from scalectl.trainer.data import split as splits
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.split import load
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import TrunkSpec


@pytest.fixture(autouse=True)
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    storage._file_system.cache_clear()
    yield
    forget()


def forget() -> None:
    """Know of no data that were loaded, as another process."""
    splits._split.cache_clear()
    registry._store.cache_clear()


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A bucket of two files and what was asked of it."""
    folder = tmp_path / "buckets" / "some-bucket" / "parts"
    greys(folder / "a.parquet", range(11))
    greys(folder / "deep" / "b.parquet", range(11, 40))
    (folder / "readme.txt").write_text("no images")
    with bucket(tmp_path / "buckets") as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield folder, asked


def spec(folder, source: str) -> TrunkSpec:
    (folder / "experiments.yaml").write_text(STUDY.format(source=source, more=""))
    return read(folder / "experiments.yaml").cells[0].run.trunk


@pytest.mark.parametrize("path", ["parts", "parts/", "parts/**/*.parquet", "parts/**"])
def test_files_are_the_same_data_in_a_bucket_and_on_a_disk(path, there, tmp_path, monkeypatch):
    (there[0] / "readme.txt").unlink()
    here, far = (spec(tmp_path, f"parquet:{where}") for where in (there[0], f"s3://some-bucket/{path}"))
    assert identity(far) == identity(here)
    fetched = load(far.data).pixels[:]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    forget()
    np.testing.assert_array_equal(fetched, load(here.data).pixels[:])


def test_images_are_copied_from_the_bucket_once(there, tmp_path):
    found = spec(tmp_path, "parquet:s3://some-bucket/parts").data
    pixels = load(found).pixels[:]
    there[1].clear()
    shutil.rmtree(there[0])
    forget()
    np.testing.assert_array_equal(load(found).pixels[:], pixels)
    assert there[1] == []


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("parts/a.parquet", ["parts/a.parquet"]),
        ("parts", ["parts/a.parquet", "parts/deep/b.parquet"]),
        ("parts/*", ["parts/a.parquet", "parts/readme.txt"]),
        ("parts/*.parquet", ["parts/a.parquet"]),
        ("parts/**/*.parquet", ["parts/a.parquet", "parts/deep/b.parquet"]),
        ("p?rts/d*/b.parquet", ["parts/deep/b.parquet"]),
    ],
)
def test_paths_mean_what_they_mean_on_a_disk(path, names, there):
    found = [file for file, _ in storage.listed(f"s3://some-bucket/{path}", ".parquet", "parquet")]
    assert found == [f"s3://some-bucket/{name}" for name in names]


def test_planning_reads_footers_alone(there):
    registry.Part("parquet", "s3://some-bucket/parts").contents()
    there[1].clear()
    registry.Part("parquet", "s3://some-bucket/parts").contents()
    assert not [one for one in there[1] if ".parquet" in one]


def test_where_nothing_is_there_it_is_said(there):
    with pytest.raises(Unreadable, match=r"^s3://some-bucket/none: no parquet files there$"):
        registry.Part("parquet", "s3://some-bucket/none").contents()


def test_who_may_not_read_a_bucket_is_told_how_to_sign_in(tmp_path, monkeypatch):
    with bucket(tmp_path, refused=True) as (address, _), pytest.raises(InvalidExperiment) as caught:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        spec(tmp_path, "parquet:s3://some-bucket/parts")
    told = str(caught.value)
    assert "experiments.yaml:" in told and "data.source: s3://some-bucket/parts" in told
    assert "ACCESS_DENIED" in told and "set AWS_PROFILE" in told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("folder:s3://some-bucket/x", "is not on this machine"),
        ("parquet:https://host/x", "is not on this machine"),
        ("parquet:s3://", "names no bucket and folder"),
        ("parquet:s3://key:secret@bucket/x", "names no bucket and folder"),
    ],
)
def test_what_is_in_no_bucket_is_refused(source, told, tmp_path):
    with pytest.raises(InvalidExperiment, match=told):
        spec(tmp_path, source)


def test_only_parquet_files_are_read_from_buckets():
    with pytest.raises(Unreadable, match="only parquet files are read from buckets"):
        registry.Part("folder", "s3://some-bucket/x").contents()
