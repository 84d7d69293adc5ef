"""What every side of `step.py` trains, and how it is timed; a Python without JAX can read it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from scalectl.trainer.presets import preset
from scalectl.trainer.spec import ModelSpec


@dataclass(frozen=True)
class Work:
    """A model and a batch: pictures of `side` pixels, average pooling, AdamW, sigmoid loss."""

    model: ModelSpec
    side: int
    batch: int
    precision: str = "float32"
    classes: int = 1000
    channels: int = 3


LR, CLIP, DECAY, WARMUP = 1e-3, 1.0, 0.03, 100
TOTAL = 100_000  # steps of the schedule: longer than any run of the benchmark
FETCH = 20  # the sides in a plain loop look at their loss once in so many steps

CPU = {
    "tiny": Work(ModelSpec(16, 2, 64, 2, 4), 16, 32, classes=10),
    "width 64": Work(ModelSpec(64, 4, 256, 4, 4), 32, 128, classes=10),
    # the models of experiments.yaml, on as many grey pixels
    "pico": Work(ModelSpec(8, 1, 32, 2, 2), 8, 64, classes=10, channels=1),
    "nano": Work(ModelSpec(16, 2, 64, 2, 2), 8, 64, classes=10, channels=1),
    "micro": Work(ModelSpec(32, 3, 128, 4, 2), 8, 64, classes=10, channels=1),
    "mini": Work(ModelSpec(48, 3, 192, 4, 2), 8, 64, classes=10, channels=1),
    "Ti/16": Work(preset("Ti", 16), 224, 8),
    "S/16": Work(preset("S", 16), 224, 4),
}
GPU = {
    "B/16": Work(preset("B", 16), 224, 256, "bfloat16"),
    "L/16": Work(preset("L", 16), 224, 128, "bfloat16"),
}
SMALL = {"smallest": Work(ModelSpec(8, 1, 16, 2, 4), 8, 2, classes=3)}  # says nothing of speed: for tests


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
