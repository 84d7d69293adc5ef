"""Batches that are read ahead: the same bytes in the same order, whoever reads them and wherever they begin."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import psutil
import pytest
import records
from pictures import grey, greys, layout, write
from test_data import trunk

from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.data.registry import Part
from scalectl.trainer.spec import DataSpec, TrunkSpec


def pictures(folder, monkeypatch, kind: str = "parquet") -> TrunkSpec:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    path = str(folder / PLACES[kind])
    data = DataSpec(kind, 25, 5, 0, 1, 16, 3, 3, crop=True, flip=True, resize=16, path=path)
    return replace(trunk(batch=8), data=replace(data, content=Part(kind, path).contents().digest))


PLACES = {"parquet": "train.parquet", "array_record": "train.array_record", "tfds": "small/1.0.0/train"}


def written(folder, kind: str) -> None:
    """Write pictures, with several labels each in the one source whose file says so."""
    if kind == "parquet":
        greys(folder / PLACES[kind], range(40))
    elif kind == "array_record":
        records.array_record(folder / PLACES[kind], records.greys(range(40)))
    else:
        made = [records.example(image=grey(level), labels=[level % 3, 2]) for level in range(40)]
        records.dataset(folder, {"train": [made[:11], made[11:]]}, "tfrecord", {}, "1.0.0")


def hashes(of: TrunkSpec, start: int, stop: int, workers: int, each: int = 1) -> list[str]:
    """The hash of each batch of some steps, taken `each` at a time."""
    feed, found = Loader(Batches(of), start, stop, workers), []
    try:
        while len(found) < stop - start:
            pixels, labels = feed.stacked(min(each, stop - start - len(found)))
            found += [
                hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()
                for leaves in zip(*jax.tree.leaves((pixels, labels)), strict=True)
            ]
    finally:
        feed.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLACES)
def test_batches_are_the_same_for_a_thread_one_process_and_four(kind, tmp_path, monkeypatch):
    written(tmp_path, kind)
    of = pictures(tmp_path, monkeypatch, kind)
    alone = hashes(of, 0, 12, 0)
    assert len(set(alone)) == 12
    assert hashes(of, 0, 12, 1, each=5) == hashes(of, 0, 12, 4, each=2) == alone
    assert hashes(of, 5, 12, 4) == alone[5:]


@pytest.mark.parametrize("kind", PLACES)
def test_batches_are_the_same_after_a_restart(kind, tmp_path, monkeypatch):
    written(tmp_path, kind)
    of = pictures(tmp_path, monkeypatch, kind)
    whole = hashes(of, 0, 12, 0, each=3)
    assert hashes(of, 7, 12, 0) == whole[7:]
    if kind == "array_record":  # the only reader that is not Python's own
        assert hashes(of, 7, 12, 2) == whole[7:]


def test_images_in_memory_need_no_reader():
    feed = Loader(Batches(trunk()), 3, 9, 4)
    for step in (3, 5):
        for found, expected in zip(feed.stacked(2), Batches(trunk()).stacked(step, 2), strict=True):
            np.testing.assert_array_equal(found, expected)
    feed.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_wherever_it_is_read(workers, tmp_path, monkeypatch):
    images = [grey(number) for number in range(40 + workers)]
    images[13] = images[13].replace(b"IDAT", b"JUNK")  # it begins and ends well
    write(tmp_path / "train.parquet", layout(images, [0] * len(images)))
    of = pictures(tmp_path, monkeypatch)
    with pytest.raises(BadImage) as caught:
        hashes(replace(of, data=replace(of.data, size=35)), 0, 5, workers)
    assert str(caught.value).startswith(f"{tmp_path}/train.parquet, row 13: ")
    assert "\n" not in str(caught.value)


READING = """
import time
from test_loader import drawn
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.loader import Loader

if __name__ == "__main__":
    feed = Loader(Batches(drawn()), 0, 10**6, 2)
    feed.stacked(1)
    print("reads", flush=True)
    time.sleep(100)
"""


def drawn() -> TrunkSpec:
    return replace(trunk(batch=8), data=DataSpec("synthetic", 10**6, 100, 0, 0, 16, 3, 10))


@pytest.mark.slow
def test_readers_end_with_the_process_that_they_read_for(tmp_path):
    script = tmp_path / "reading.py"
    script.write_text(READING)
    path = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=os.environ | path) as job:
        assert job.stdout.readline() == b"reads\n"
        readers = psutil.Process(job.pid).children(recursive=True)
        job.kill()
    _, alive = psutil.wait_procs(readers, timeout=10)
    for reader in alive:
        reader.kill()
    assert len(readers) >= 2 and not alive
