"""A source of one's own, registered from outside: a study names it, and plans, trains and measures with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from test_experiment import refusal, write
from told import from_scratch

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.experiment.schema import schema_json
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.data import registry
from scalectl.trainer.data.facts import Facts, Unreadable
from scalectl.trainer.data.registry import Generated, InMemory, Source, register, sources
from scalectl.trainer.data.split import split
from scalectl.trainer.events import Done, Measurement
from scalectl.trainer.train import train

STUDY = """\
version: 1
name: toy
models: {nano: {width: 8, depth: 1, num_heads: 2, patch_size: 3}}
data: {source: stripes, sizes: [60], held_out: 30}
train: {batch_size: 20, optimizer: {name: adamw, lr: 3e-2}, schedule: {warmup: 5, timescale: 100}}
budgets: {steps: [40]}
evals: {fewshot: {datasets: [stripes], shots: [5]}}
"""
CHANCE = 1 / 2


def stripes() -> tuple[np.ndarray, np.ndarray]:
    """Images (120, 6, 6, 1) with stripes across, class 0, or down, class 1."""
    labels = np.arange(120, dtype=np.int32) % 2
    across = np.tile(np.float32([1, 1, 1, -1, -1, -1])[:, None], (1, 6))
    noise = np.random.default_rng(3).normal(0, 0.1, (120, 6, 6)).astype(np.float32)
    images = np.where(labels[:, None, None] == 0, across, across.T) + noise
    return images[..., None], labels


class Shades:
    """Images without end, grey for class 0 and white for class 1."""

    def __init__(self, side: int) -> None:
        self.side = side

    def labels(self, rows: np.ndarray) -> np.ndarray:
        return (rows % 2).astype(np.int32)

    def colours(self, rows: np.ndarray) -> np.ndarray:
        shades = (127 + 128 * (rows % 2)).astype(np.uint8)
        return np.tile(shades[:, None, None, None], (1, self.side, self.side, 3))

    def cropped(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return self.colours(rows)


IN_MEMORY = InMemory(Facts(120, 6, 1, 2), stripes)
GENERATED = Generated(6, 3, 2, lambda spec: Shades(spec.image_size))


@contextmanager
def registered(name: str, entry: Source) -> Iterator[None]:
    """A source of one's own while the context lasts, as other processes know none of it."""
    register(name, entry)
    try:
        yield
    finally:
        del registry._SOURCES[name]


@pytest.mark.slow
@pytest.mark.parametrize("source", [IN_MEMORY, GENERATED], ids=["in memory", "generated"])
def test_a_study_trains_on_a_source_that_was_registered_from_outside(source, tmp_path):
    with registered("stripes", source):
        study = read(write(tmp_path, STUDY))
        events = list(train(from_scratch(plan(study).jobs[-1].job, str(tmp_path / "alone"))))
    readings = {event.metric: event.value for event in events if isinstance(event, Measurement)}
    assert isinstance(events[-1], Done) and events[-1].step == 40
    assert set(readings) == {"upstream/loss", "upstream/error", "fewshot/stripes/5shot/error"}
    assert readings["upstream/error"] < CHANCE / 4
    assert readings["fewshot/stripes/5shot/error"] < CHANCE / 4


def test_its_images_are_either_held_out_or_in_the_pool(tmp_path):
    with registered("stripes", IN_MEMORY):
        parts = split(read(write(tmp_path, STUDY)).cells[0].run.trunk.data)
    pixels, _ = stripes()
    both = np.concatenate([parts.pool.pixels, parts.held_out.pixels])
    assert len(parts.held_out) == 30
    np.testing.assert_array_equal(np.sort(both.sum(axis=(1, 2, 3))), np.sort(pixels.sum(axis=(1, 2, 3))))


def test_what_a_source_cannot_do_is_refused_before_anything_runs(tmp_path):
    with registered("stripes", IN_MEMORY):
        for old, new, words in (
            ("sizes: [60]", "sizes: [91]", "91 is more than 90: stripes has 120 images, 30 are held out"),
            ("sizes:", "image_size: 12, sizes:", "stripes have their own image_size"),
            ("sizes:", "augment: {crop: true}, sizes:", "stripes are in memory at one size"),
            ("patch_size: 3", "patch_size: 7", "larger than the 6 x 6 images of stripes"),
        ):
            assert words in str(refusal(write(tmp_path, STUDY.replace(old, new, 1))))


def test_a_source_is_known_while_it_is_registered(tmp_path):
    file = write(tmp_path, STUDY)
    with registered("stripes", IN_MEMORY):
        assert "stripes" in str(schema_json())
        data = read(file).cells[0].run.trunk.data
    assert "stripes" not in sources() and "stripes" not in str(schema_json())
    assert "'stripes' is not one of digits, synthetic" in str(refusal(file))
    with pytest.raises(Unreadable, match="no such source"):
        split(data)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="a source digits already"):
        register("digits", IN_MEMORY)
    assert sources()["digits"] is not IN_MEMORY
