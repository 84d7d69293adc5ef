"""The trainer's step beside the same training written in other ways: images per second, compiling, idle devices.

uv run python benchmarks/step.py [--shapes "width 64" "Ti/16"] [--threads 1] [--rounds 7] [--seconds 3]
    [--torch PYTHON] [--device gpu]

Every side is a process of its own; in each round all of them train the same steps, one after the other. PYTHON is one
that has torch and timm; without it that side is left out. docs/performance.md says what is compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from step_shapes import CPU, GPU, SMALL, Work

from scalectl.orchestrator.cluster import process as heap
from scalectl.trainer.flops import TRAINING, flops_per_image

HERE = Path(__file__).parent
PLATFORMS = {"cpu": "cpu", "gpu": "cuda"}


class Side:
    """A process that trains when it is asked to; raises EOFError where it has ended.

    `KIND*` is a side that has the heap of a worker on a CPU, which scalectl always has.
    """

    def __init__(self, name: str, shape: str, python: str, asked: argparse.Namespace) -> None:
        few = {name: str(asked.threads) for name in ("PJRT_NPROC", "OMP_NUM_THREADS") if asked.device == "cpu"}
        where = {"JAX_PLATFORMS": PLATFORMS[asked.device], "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        keeps = heap.ENVIRONMENT if asked.device == "cpu" and name in ("scalectl", "linen*") else {}
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), **few, **where, **keeps}
        command = [python, str(HERE / "step_side.py"), name.rstrip("*"), shape]
        self.name = name
        self._process = subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, text=True)
        self.compiling = self._answer()

    def ask(self, what: str) -> dict[str, float]:
        print(what, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"{self.name} has ended with {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Result:
    """What a side did, and its time over ours in the same rounds: above 1 where ours is faster."""

    side: str
    images_per_second: float  # of the median round
    compiling: dict[str, float]
    ratios: tuple[float, ...]  # of wall time, one for each round
    cpu_ratios: tuple[float, ...]
    idle: float | None
    flops_per_second: float

    def line(self, peak: float | None) -> str:
        cells = [f"{self.side:9}", f"{self.images_per_second:9.1f} images/s", f"{self.flops_per_second:9.2e} FLOP/s"]
        cells += [f"ours {statistics.median(self.ratios):5.2f} x (least {min(self.ratios):.2f})"]
        cells += [f"by CPU time {statistics.median(self.cpu_ratios):5.2f} x (least {min(self.cpu_ratios):.2f})"]
        cells += ["compiling {seconds:5.1f} s, {cpu_seconds:5.1f} s of CPU".format(**self.compiling)]
        cells += [] if self.idle is None else [f"idle {self.idle:7.2%}"]
        cells += [] if peak is None else [f"MFU {self.flops_per_second / peak:6.1%}"]
        return "  ".join(cells)


def compared(sides: list[Side], work: Work, rounds: int, seconds: float) -> list[Result]:
    """One result for each side, ours first; the first round warms up, and every second one goes backwards."""
    ours = sides[0]
    ours.ask("train 2")
    steps = max(2, round(4 * seconds / ours.ask("train 4")["seconds"]))
    told: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides[:: -1 if number % 2 else 1]:
            told[side.name].append(side.ask(f"train {steps}"))

    def over_ours(name: str, what: str) -> tuple[float, ...]:
        pairs = list(zip(told[name], told[ours.name], strict=True))[1:]
        return tuple(one[what] / own[what] for one, own in pairs)

    results = []
    for side in sides:
        speed = work.batch * steps / statistics.median(one["seconds"] for one in told[side.name][1:])
        ratios = over_ours(side.name, "seconds"), over_ours(side.name, "cpu_seconds")
        idle = None if side.name == "timm" else side.ask(f"idle {steps}")["idle"]
        results.append(Result(side.name, speed, side.compiling, *ratios, idle, speed * training_flops(work)))
    return results


def training_flops(work: Work) -> int:
    """The training FLOPs of one image."""
    shape = {"head": "gap", "image_size": work.side, "channels": work.channels, "num_classes": work.classes}
    return TRAINING * flops_per_image(work.model, **shape)


def measured(shape: str, work: Work, asked: argparse.Namespace) -> None:
    names = ("scalectl", "linen", "linen*") if asked.device == "cpu" else ("scalectl", "linen")
    sides = [Side(name, shape, sys.executable, asked) for name in names]
    sides += [Side("timm", shape, asked.torch, asked)] if asked.torch else []
    try:
        peak = sides[0].ask("rate")["rate"] if asked.device == "gpu" else None
        reached = "" if peak is None else f", matrix products at {peak:.3g} FLOP/s"
        print(f"{shape}: {work.side} pixels, batch {work.batch}, {work.precision}{reached}", flush=True)
        for result in compared(sides, work, asked.rounds, asked.seconds):
            print(f"  {result.line(peak)}", flush=True)
    finally:
        for side in sides:
            side.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=PLATFORMS, default="cpu")
    parser.add_argument("--shapes", nargs="+", choices=[*CPU, *GPU, *SMALL])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of our side in a round")
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has torch and timm")
    asked = parser.parse_args(arguments)
    for shape in asked.shapes or (GPU if asked.device == "gpu" else CPU):
        measured(shape, (CPU | GPU | SMALL)[shape], asked)


if __name__ == "__main__":
    main()
