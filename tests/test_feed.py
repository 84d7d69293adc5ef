"""Batches that are read ahead: the same bytes in the same order, whoever reads them and wherever they begin."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from pictures import grey, greys, layout, write
from test_data import trunk

from trainer import parquet
from trainer.data import Batches
from trainer.feed import Feed
from trainer.pictures import BadImage
from trainer.spec import DataSpec, TrunkSpec


def pictures(folder, monkeypatch) -> TrunkSpec:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    path = str(folder / "train.parquet")
    data = DataSpec("parquet", 25, 5, 0, 1, 16, 3, 3, crop=True, flip=True, resize=16, path=path)
    return replace(trunk(batch=8), data=replace(data, content=parquet.contents(path).digest))


def hashes(of: TrunkSpec, start: int, stop: int, workers: int, each: int = 1) -> list[str]:
    """The hash of each batch of some steps, taken `each` at a time."""
    feed, found = Feed(Batches(of), start, stop, workers), []
    try:
        while len(found) < stop - start:
            pixels, labels = feed.stacked(min(each, stop - start - len(found)))
            found += [
                hashlib.sha256(a.tobytes() + b.tobytes()).hexdigest() for a, b in zip(pixels, labels, strict=True)
            ]
    finally:
        feed.close()
    return found


@pytest.mark.slow
def test_batches_are_the_same_for_a_thread_one_process_and_four(tmp_path, monkeypatch):
    greys(tmp_path / "train.parquet", range(40))
    of = pictures(tmp_path, monkeypatch)
    alone = hashes(of, 0, 12, 0)
    assert len(set(alone)) == 12
    assert hashes(of, 0, 12, 1, each=5) == hashes(of, 0, 12, 4, each=2) == alone


def test_batches_are_the_same_after_a_restart(tmp_path, monkeypatch):
    greys(tmp_path / "train.parquet", range(40))
    of = pictures(tmp_path, monkeypatch)
    whole = hashes(of, 0, 12, 0, each=3)
    assert hashes(of, 7, 12, 0) == hashes(of, 7, 12, 2) == whole[7:]


def test_images_in_memory_need_no_reader():
    feed = Feed(Batches(trunk()), 3, 9, 4)
    for step in (3, 5):
        for found, expected in zip(feed.stacked(2), Batches(trunk()).stacked(step, 2), strict=True):
            np.testing.assert_array_equal(found, expected)
    feed.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_wherever_it_is_read(workers, tmp_path, monkeypatch):
    images = [b"damaged" if number == 13 else grey(number) for number in range(40)]
    write(tmp_path / "train.parquet", layout(images, [0] * 40))
    of = pictures(tmp_path, monkeypatch)
    with pytest.raises(BadImage, match=r"train\.parquet, row 13: not a picture"):
        hashes(replace(of, data=replace(of.data, size=35)), 0, 5, workers)
