"""A training process that is killed with -9 again and again ends as if nothing had happened."""

import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scalectl.trainer.events import Done, Event, Measurement, Progress, Started
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec, Job, ModelSpec, RecipeSpec, RunSpec, TrunkSpec

TRUNK = TrunkSpec(
    ModelSpec(8, 1, 32, 2, 4),
    DataSpec("digits", 60, 360, 0, 1, 8, 1, 10),
    RecipeSpec(16, "float32", "map", -2.0, "sigmoid", "adafactor", 3e-3, 1.0, 3.0, 0.03, 4, 10),
    seed=3,
)
EVALS = EvalSpec(("loss", "error"), (FewshotSpec("digits", 5, 2, 1024.0),))
STEPS, KILLS = 600, 20

LIFE = """
import hashlib, os, pickle, signal, sys
from scalectl.orchestrator.cluster.worker import Place, prepare_jax
prepare_jax(Place())
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.train import train

given, kill_at = pickle.load(open(sys.argv[1], "rb")), int(sys.argv[2])
events, batches, stacked = open(sys.argv[3], "ab"), open(sys.argv[4], "a"), Loader.stacked

def seen(self, count):
    step = self._step
    images, labels = stacked(self, count)
    for i in range(count):
        digest = hashlib.sha256(images[i].tobytes() + labels[i].tobytes()).hexdigest()
        print(step + i + 1, digest, file=batches, flush=True)
    return images, labels

Loader.stacked = seen
for event in train(given):
    pickle.dump(event, events)
    events.flush()
    if type(event).__name__ == "Progress" and event.step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def live(folder: Path, kill_at: int) -> int:
    """Return how a process of its own ended that trains until it has told `kill_at`, or to its end."""
    run = RunSpec(TRUNK, STEPS, 120)
    job = Job("alone", "alone", TRUNK, run, 0, STEPS, EVALS, str(folder / "job"), None, 25)
    (folder / "given").write_bytes(pickle.dumps(job))
    places = [str(folder / name) for name in ("events", "batches")]
    command = [sys.executable, "-c", LIFE, str(folder / "given"), str(kill_at), *places]
    return subprocess.run(command, check=False).returncode


def told(folder: Path) -> list[Event]:
    events = []
    with (folder / "events").open("rb") as file:
        while file.peek(1):
            events.append(pickle.load(file))
    return events


def summary(folder: Path) -> dict[str, object]:
    """Whatever has to be the same: curve, order of the images, end and measurements; each step said one thing only."""
    events = told(folder)
    curve = {(one.step, one.loss, one.learning_rate, one.grad_norm) for one in events if isinstance(one, Progress)}
    order = {tuple(line.split()) for line in (folder / "batches").read_text().splitlines()}
    assert len({step for step, *_ in curve}) == len(curve)
    assert sorted(int(step) for step, _ in order) == list(range(1, STEPS + 1))
    (end,) = [event.digest for event in events if isinstance(event, Done)]
    measured = [(one.metric, one.value) for one in events if isinstance(one, Measurement)]
    return {"curve": curve, "order": order, "end": end, "measured": measured}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_twenty_random_steps_it_comes_to_the_same_end(tmp_path):
    whole, often = tmp_path / "whole", tmp_path / "often"
    whole.mkdir()
    often.mkdir()
    assert live(whole, -1) == 0
    steps = [event.step for event in told(whole) if isinstance(event, Progress)]
    for step in sorted(random.Random(37).sample(steps[:-1], KILLS)):
        assert live(often, step) == -signal.SIGKILL
    assert live(often, -1) == 0
    assert summary(often) == summary(whole)
    begun = [event.step for event in told(often) if isinstance(event, Started)]
    assert len(begun) == KILLS + 1 and len(set(begun)) > KILLS // 3
