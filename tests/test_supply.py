"""Whether images come as fast as devices take them: readers by default, what plan says, and how a wait is measured."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import jpeg, layout, study, write
from test_data import trunk

from scalectl.orchestrator.cluster.capacity import Capacity
from scalectl.orchestrator.cluster.readers import readers
from scalectl.orchestrator.goodput import goodput, starved
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.supply import shortfalls
from scalectl.orchestrator.store.known import Known
from scalectl.trainer.data import decoding_rate
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.data.split import load
from scalectl.trainer.feed import Feed, dispatches
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import DataSpec, TrunkSpec
from scalectl.trainer.step import shape
from scalectl.trainer.timing import Laps


@pytest.mark.parametrize(
    ("platforms", "gpus", "expected"),
    [("cpu", 0, 0), ("cuda", 1, 3), ("cuda", 0.25, 0), ("cuda,cpu", 4, 15), ("tpu", 0, 15), ("cuda", 0, 15)],
)
def test_a_job_has_a_reader_for_each_core_of_its_slot_but_one(platforms, gpus, expected, tmp_path, monkeypatch):
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev" / name).touch()
    monkeypatch.setattr("scalectl.orchestrator.cluster.readers.capacity", lambda root: Capacity(16, 2.0**36))
    assert readers(platforms, gpus, tmp_path) == expected


def test_a_large_host_has_no_more_readers_than_its_memory_bears(tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.orchestrator.cluster.readers.capacity", lambda root: Capacity(224, 2.0**40))
    assert readers("tpu", 0, tmp_path) == 32


def said(folder: Path, place: str, more: str = "") -> list[str]:
    """What plan says of a study of JPEGs on some place."""
    write(folder / "pictures.parquet", layout([jpeg((level, 0, 0)) for level in range(20)], [0, 1] * 10))
    study(folder, "parquet:pictures.parquet", more)
    file = folder / "experiments.yaml"
    file.write_text(file.read_text() + f"resources: {{default: {place}}}\n")
    from scalectl.orchestrator.experiment.reading import read

    return list(shortfalls(plan(read(file), Known())))


def test_plan_says_that_decoding_cannot_feed_a_device(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (line,) = said(tmp_path, "{type: h100, mfu: 0.3, workers: 4}")
    assert line.startswith("pico takes ") and "4 readers decode 35.4 k, 8.86 k each as assumed" in line
    assert ": set data.cache, or raise resources.workers to " in line
    assert not said(tmp_path, "{type: h100, mfu: 0.3, workers: 4}", ", cache: 16")
    assert not said(tmp_path, "{device: cpu}")
    assert not said(tmp_path, "{type: h100, peak_flops: 1e9, workers: 4}")


def test_what_a_job_has_measured_counts_where_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = said(tmp_path, "{type: h100, mfu: 0.3}")
    content = study(tmp_path, "parquet:pictures.parquet").cells[0].run.trunk.data.content
    meter = decoding_rate.Meter(content, 16)
    meter.add(200, 2.0)
    assert said(tmp_path, "{type: h100, mfu: 0.3}") == before and "as assumed" in before[0]
    meter.add(100, 1.0)
    (line,) = said(tmp_path, "{type: h100, mfu: 0.3}")
    assert "12 readers decode 1.2 k, 100 each as measured" in line


def test_waiting_for_images_is_no_goodput_and_is_worth_a_word_where_it_is_large():
    entries = {"step": 40.0, "input": 60.0, "idle": 100.0}
    assert goodput(entries) == pytest.approx(0.2)
    assert starved(entries).startswith("the device waits for images 60 % of the time in which it trains: raise")
    assert not starved({"step": 0.4, "input": 0.6}) and not starved({"step": 90.0, "input": 10.0})


class Slow:
    """Batches that take a while, as decoding does."""

    def __init__(self, batches: Batches, seconds: float, damaged: int = -1) -> None:
        self._batches, self._seconds, self._damaged, self.images = batches, seconds, damaged, batches.images

    def batch(self, step):
        time.sleep(self._seconds)
        if step == self._damaged:
            raise BadImage("pictures.parquet, row 3: broken")
        return self._batches.batch(step)

    def stacked(self, step, count):
        raise AssertionError


SYNTHETIC: TrunkSpec = replace(trunk(batch=8), data=DataSpec("synthetic", 40, 37, 5, 1, 16, 3, 10, flip=True))


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(shape(SYNTHETIC))


def feed(programs: Programs, seconds: float, stop: int, damaged: int = -1) -> Feed:
    counts = dispatches(0, stop, 1000, 1)
    return Feed(Loader(Slow(Batches(SYNTHETIC), seconds, damaged), 0, stop, 0), programs, counts)


class Held:
    """A loader whose batches take three seconds each of a clock that nothing else moves, from when it is next read."""

    reads, close = True, staticmethod(lambda: None)

    def __init__(self) -> None:
        self.seconds, self._steps = 0.0, iter(range(40))
        self._may, self.made = threading.Semaphore(0), threading.Semaphore(0)

    def perf_counter(self) -> float:
        """The clock, as a feed reads it when its wait begins and when it ends."""
        now = self.seconds
        self._may.release()
        return now

    def stacked(self, count):
        self._may.acquire()
        self.seconds += 3.0
        self.made.release()
        return Batches(SYNTHETIC).stacked(next(self._steps), count)


@pytest.fixture
def held(monkeypatch) -> Held:
    """It, with its clock as that of feeds."""
    held = Held()
    monkeypatch.setattr("scalectl.trainer.feed.time", held)
    return held


def test_only_the_wait_of_an_idle_device_counts(programs, held):
    busy = iter([True] * 10)

    def working() -> bool:
        held.seconds += 5.0
        return next(busy, False)

    fed = Feed(held, programs, dispatches(0, 1, 1000, 1))
    assert fed.take(working)[1] == 3.0
    fed.close()


@pytest.mark.parametrize("busy", [True, False])
def test_batches_that_are_there_cost_no_wait(busy, programs, held):
    fed = Feed(held, programs, dispatches(0, 2, 1000, 1))
    fed.take(lambda: False)
    for _ in range(2):
        held.made.acquire()  # the second begins when the wait for the first one ends
    assert fed.take(lambda: busy)[1] == 0.0
    fed.close()


def test_batches_come_in_order_and_lie_on_the_device(programs):
    fed = feed(programs, 0.0, 5)
    batches = Batches(SYNTHETIC)
    for step in range(5):
        found, _ = fed.take(lambda: False)
        images, labels = batches.stacked(step, 1)
        np.testing.assert_array_equal(found.images.pixels[0], images.pixels[0])
        np.testing.assert_array_equal(found.labels[0], labels[0])
        assert found.images.pixels.dtype == np.uint8 and found.images.pixels.is_ready()
    fed.close()


def test_a_damaged_image_is_told_where_its_batch_is_taken(programs):
    fed = feed(programs, 0.0, 5, damaged=2)
    for _ in range(2):
        fed.take(lambda: False)
    with pytest.raises(BadImage, match="row 3: broken"):
        fed.take(lambda: False)
    fed.close()


def test_a_feed_ends_with_batches_under_way(programs):
    fed = feed(programs, 0.05, 1000)
    fed.take(lambda: False)
    fed.close()


def test_dispatches_end_at_checkpoints_and_at_the_last_step():
    assert list(dispatches(3, 25, 10, 4)) == [4, 3, 4, 4, 2, 4, 1]
    assert list(dispatches(5, 5, 10, 4)) == []


def test_a_wait_is_a_lap_of_its_own(programs):
    times = [time.perf_counter()]
    laps = Laps(programs)
    times.append(time.perf_counter())
    time.sleep(0.2)
    laps.waited(0.15)
    times.append(time.perf_counter())
    laps.end("train")
    times.append(time.perf_counter())
    spent = laps.spent(1)
    assert spent.input == 0.15
    assert times[2] - times[1] <= spent.train + spent.input <= times[3] - times[0]


def test_images_in_memory_are_made_when_they_are_asked_for():
    of = replace(trunk(batch=8), data=replace(trunk().data, size=20))
    fed = Feed(Loader(Batches(of), 0, 4, 3), Programs(shape(of)), dispatches(0, 4, 10, 2))
    assert len(load(of.data)) == 20
    batches, waited = fed.take(lambda: True)
    assert int(batches.count) == 2 and waited == 0.0
    fed.close()
