"""One side of `step.py` in a process of its own, which answers lines of stdin with lines of JSON.

`train STEPS`, `idle STEPS` and `rate`; a process that waits for its turn uses no core. All sides share their cores.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from step_shapes import CPU, GPU, SMALL, timed

RATE_SIZE, RATE_TIMES = 8192, 20  # of the square matrices whose product is timed


def main(side: str, shape: str) -> None:
    if os.environ["JAX_PLATFORMS"] == "cpu":  # as many cores as threads, as a slot has
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ["PJRT_NPROC"])])
    work = (CPU | GPU | SMALL)[shape]
    random = np.random.default_rng(5)
    images = random.uniform(-1, 1, (work.batch, work.side, work.side, work.channels)).astype(np.float32)
    labels = random.integers(0, work.classes, work.batch).astype(np.int32)
    environment = dict(os.environ)
    module = importlib.import_module(f"step_{side}")
    os.environ |= environment  # our trainer has set PJRT_NPROC to 1, and JAX reads it when it starts
    ready = module.Side(work, images, labels)
    say(**ready.compiling)
    for what, *number in map(str.split, sys.stdin):
        if what == "train":
            say(**timed(lambda steps=int(number[0]): ready.advance(steps)))
        elif what == "idle":
            say(idle=idle(lambda steps=int(number[0]): ready.advance(steps)))
        elif what == "rate":
            say(rate=rate(work.precision))


def say(**what: float) -> None:
    print(json.dumps(what), flush=True)


def idle(work: Callable[[], object]) -> float:
    """The share of the time from the first program to the end of the last in which JAX's profiler sees none run."""
    import jax

    options = jax.profiler.ProfileOptions()
    options.python_tracer_level, options.host_tracer_level = 0, 1
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            work()
        (file,) = Path(folder).rglob("*.xplane.pb")
        spans = list(running(jax.profiler.ProfileData.from_file(str(file)).planes))
    return 1 - covered(spans) / (max(end for _, end in spans) - min(start for start, _ in spans))


def running(planes: Iterable) -> Iterator[tuple[float, float]]:
    """Start and end of whatever runs on a GPU, or of XLA's programs and their loops on a CPU."""
    planes = list(planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:GPU")]
    for plane in devices or planes:
        for line in plane.lines:
            for event in line.events:
                if devices or event.name.startswith("ThunkExecutor::Execute"):
                    yield event.start_ns, event.end_ns


def covered(spans: list[tuple[float, float]]) -> float:
    """The time in which at least one of the spans runs."""
    total, reached = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def rate(precision: str) -> float:
    """The FLOP/s that large matrix products reach on the first device."""
    import jax
    import jax.numpy as jnp

    square = jnp.ones((RATE_SIZE, RATE_SIZE), precision)

    def products(square: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, RATE_TIMES, lambda _, x: (x @ square) / RATE_SIZE, square)

    ready = jax.jit(products).lower(square).compile()
    ready(square).block_until_ready()
    spent = timed(lambda: ready(square).block_until_ready())["seconds"]
    return RATE_TIMES * 2 * RATE_SIZE**3 / spent


if __name__ == "__main__":
    main(*sys.argv[1:])
