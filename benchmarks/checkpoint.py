"""How long a training loop stands still for a checkpoint, and how long one takes to be on disk.

uv run python benchmarks/checkpoint.py [--rounds 7]

Written in the loop, by Orbax's AsyncCheckpointer, and by trainer/writer.py, for the largest model of experiments.yaml
and for a ViT of 20M parameters, both with Adafactor's moments. Each state has just been advanced, as in training.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from orbax import checkpoint as ocp

from scalectl.trainer.checkpoint import save
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.step import State, shape
from scalectl.trainer.writer import Writer

TOLD = [(float(step), 0.1, 1e-3, 2.5, 0.3, 911.0) for step in range(400)]  # the curve of some thousand steps
SHAPES = {"140k parameters": ModelSpec(64, 3, 256, 4, 2), "20M parameters": ModelSpec(384, 11, 1536, 6, 4)}
Begin = Callable[[State], Callable[[], object]]  # begins to save, and returns what waits for the end of it


def in_the_loop(folder: str) -> Begin:
    def begin(state: State) -> Callable[[], object]:
        save(folder, state, 0.0, TOLD)
        return lambda: None

    return begin


def by_orbax(folder: str) -> Begin:
    checkpointer = ocp.AsyncCheckpointer(ocp.CompositeCheckpointHandler())

    def begin(state: State) -> Callable[[], object]:
        items = ocp.args.Composite(state=ocp.args.PyTreeSave(state), notes=ocp.args.JsonSave({"told": TOLD}))
        checkpointer.save(f"{folder}/{int(state.step)}", items)
        return checkpointer.wait_until_finished

    return begin


def by_writer(folder: str) -> Begin:
    writer = Writer(folder)

    def begin(state: State) -> Callable[[], object]:
        writer.begin(state, 0.0, TOLD)
        return lambda: list(writer.complete(wait=True))

    return begin


def measured(begin: Begin, state: State, rounds: int) -> tuple[float, float]:
    """The median milliseconds that the loop stands still, and until the checkpoint is on disk."""
    advance = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + jnp.ones((), leaf.dtype), state), donate_argnums=0)
    blocked, whole = [], []
    for _ in range(rounds + 1):
        state = jax.block_until_ready(advance(state))
        began = time.perf_counter()
        wait = begin(state)
        blocked.append(1e3 * (time.perf_counter() - began))
        wait()
        whole.append(1e3 * (time.perf_counter() - began))
    return statistics.median(blocked[1:]), statistics.median(whole[1:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    recipe = RecipeSpec(64, "float32", "map", -2.3, "sigmoid", "adafactor", 1e-3, 1.0, 0.1, 0.1, 10, 100)
    for name, model in SHAPES.items():
        trunk = TrunkSpec(model, DataSpec("digits", 1400, 360, 0, 0, 8, 1, 10), recipe, 0)
        first = Programs(shape(trunk)).first(0)
        print(f"{name}: {sum(leaf.nbytes for leaf in jax.tree.leaves(first)) / 1e6:.1f} MB")
        for way in (in_the_loop, by_orbax, by_writer):
            with tempfile.TemporaryDirectory() as folder:
                blocked, whole = measured(way(folder), jax.tree.map(jnp.copy, first), rounds)
                print(f"  {way.__name__:<12} stands still {blocked:7.1f} ms   on disk after {whole:7.1f} ms")


if __name__ == "__main__":
    main()
