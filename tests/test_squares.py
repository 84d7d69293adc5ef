"""Decoded images in the user's cache: the same bits as without it, written once, and crops like those of pictures."""

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import as_seen, jpeg, layout, refusal, study, write
from test_data import trunk

from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer import cache
from scalectl.trainer.data import squares
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.split import split
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import DataSpec, TrunkSpec

COUNT = 40


@pytest.fixture
def photographs(tmp_path, monkeypatch) -> Path:
    """A folder of JPEGs of several sizes, with a gradient of its own each, in two classes."""
    from PIL import Image

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(COUNT):
        height, width = 40 + number, 90 - number
        down, across = np.mgrid[:height, :width]
        shades = np.stack([2 * down + number, 255 - 2 * across, down + across + 3 * number], axis=-1)
        folder = tmp_path / "pictures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((shades % 256).astype(np.uint8)).save(folder / f"{number:02}.jpg", quality=95)
    return tmp_path / "pictures"


def kept(folder: Path, size: int = 25, **changes) -> TrunkSpec:
    """A trunk on the photographs with its images cached."""
    content = Part("folder", str(folder)).contents().digest
    data = DataSpec("folder", size, 5, 0, 0, 16, 3, 2, resize=16, content=content, path=str(folder), cached=30)
    return replace(trunk(batch=8), data=replace(data, **changes))


def fill(of: TrunkSpec) -> int:
    """Write the cached images, and count the signs of life."""
    return len(list(squares.write(of.data, split(of.data).pool)))


def files() -> list[Path]:
    return sorted(cache.folder().glob("*.npy"))


@pytest.mark.parametrize("how", [{}, {"flip": True, "shift": 2}])
def test_cached_images_are_the_bits_of_the_pictures_and_the_id_stays(how, photographs):
    of = kept(photographs, **how)
    plain = replace(of, data=replace(of.data, cached=0))
    assert fill(of) == 1 and fill(of) == 0
    for step in (0, 3, 11):
        for found, expected in zip(Batches(of).batch(step)[0], Batches(plain).batch(step)[0], strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(Batches(of).batch(step)[1], Batches(plain).batch(step)[1])
    assert identity(of) == identity(plain)


def test_crops_of_cached_images_show_what_those_of_pictures_show(photographs):
    plain = kept(photographs, cached=0, crop=True)
    of = replace(plain, data=replace(plain.data, cached=30, cache=64))
    fill(of)
    assert identity(of) != identity(plain)
    found, expected = (as_seen(Batches(one).stacked(0, 6)[0], 16) for one in (of, plain))
    assert found.shape == expected.shape
    differences = 127.5 * np.abs(found - expected)
    assert differences.mean() < 2.0
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995


def test_one_file_serves_all_subsets_and_a_larger_study_replaces_it(photographs):
    fill(kept(photographs, size=10))
    fill(kept(photographs, size=30, flip=True))
    (file,) = files()
    assert len(np.load(file)) == 30 and (file.stat().st_mode & 0o077) == 0
    large = kept(photographs, size=35, cached=35)
    fill(large)
    assert files() == [file] and len(np.load(file, mmap_mode="r")) == 35
    assert len(Batches(large).images) == 35


def racing(of: TrunkSpec, told: "multiprocessing.Queue[tuple[int, int]]") -> None:
    """Write the images, and say how many groups this process decoded and which file there is then."""
    decoded = []
    squares._fill = lambda *arguments, fill=squares._fill: (decoded.append(1), (yield from fill(*arguments)))[0]
    list(squares.write(of.data, split(of.data).pool))
    told.put((len(decoded), files()[0].stat().st_ino))


@pytest.mark.slow
def test_several_workers_of_a_machine_write_it_once(photographs):
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    workers = [context.Process(target=racing, args=(kept(photographs), told)) for _ in range(3)]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(count for count, _ in answers) == [0, 0, 1] and len({inode for _, inode in answers}) == 1
    assert not [*cache.folder().glob("*.part")]


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_file_that_is_damaged_is_written_again(damage, photographs):
    of = kept(photographs)
    fill(of)
    before, (file,) = Batches(of).batch(0)[0].pixels, files()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    squares._mapped.cache_clear()
    assert fill(of) == 1
    np.testing.assert_array_equal(Batches(of).batch(0)[0].pixels, before)


def test_a_damaged_picture_leaves_no_file(photographs):
    of = kept(photographs, resize=17)  # which no other test has read
    for picture in [*photographs.glob("*/*.jpg")][:9]:
        content = picture.read_bytes()
        picture.write_bytes(content[:20] + bytes(len(content) - 40) + content[-20:])  # it begins and ends well
    with pytest.raises(BadImage, match=r"\.jpg"):
        fill(of)
    assert files() == [] and not [*cache.folder().glob("*.part")]


def test_a_disk_without_room_is_refused_and_named(photographs, monkeypatch):
    monkeypatch.setattr(cache, "free", lambda file: 1000)
    with pytest.raises(Unreadable, match=f"{photographs}: data.cache takes 0.000 GB and .* has 0.000 GB to spare"):
        fill(kept(photographs))


def test_images_that_nobody_has_written_are_no_images(photographs):
    with pytest.raises(Unreadable, match="no cached images"):
        Batches(kept(photographs)).batch(0)


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        ("digits", ", cache: 8", "data.cache: digits are in memory as they are"),
        ("synthetic", ", cache: 20", "data.cache: 20 is not the 16 pixels that models see"),
        ("pictures.parquet", ", cache: 20", "data.cache: 20 is not the 16 pixels that models see"),
        ("pictures.parquet", ", cache: 12, augment: {crop: true}", "data.cache: 12 is less than the 16 pixels"),
        ("pictures.parquet", ", cache: 70000", "data.cache: 70,000 pixels are more than 65,535"),
    ],
)
def test_sides_that_no_step_can_use_are_refused(source, more, said, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(tmp_path / "pictures.parquet", layout([jpeg((level, 0, 0)) for level in range(20)], [0, 1] * 10))
    kind = f"parquet:{source}" if source.endswith("parquet") else source
    text = refusal(tmp_path, kind, more)
    assert said in text and "experiments.yaml:4:" in text


def test_a_study_caches_its_largest_subset_and_warns_of_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(tmp_path / "pictures.parquet", layout([jpeg((level, 0, 0)) for level in range(20)], [0, 1] * 10))
    (plain,) = study(tmp_path, "parquet:pictures.parquet").cells
    (whole,) = study(tmp_path, "parquet:pictures.parquet", ", cache: 16").cells
    (parts,) = study(tmp_path, "parquet:pictures.parquet", ", cache: 24, augment: {crop: true}").cells
    assert (whole.run.trunk.data.cached, whole.run.trunk.data.cache) == (6, 0) and identity(whole.run) == identity(
        plain.run
    )
    assert (parts.run.trunk.data.cached, parts.run.trunk.data.cache) == (6, 24)
    monkeypatch.setattr(cache, "free", lambda file: 1000)
    warned = [finding for finding in read(tmp_path / "experiments.yaml").warnings if "data.cache" in str(finding)]
    assert warned and "to spare" in str(warned[0]) and str(tmp_path) in str(warned[0])
    assert os.environ["XDG_CACHE_HOME"]
