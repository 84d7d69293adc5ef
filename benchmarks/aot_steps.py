"""Temporaries, FLOPs and bytes of training steps by the compilers of v5e and v6e, of this build and of another one.

uv run --extra aot python benchmarks/aot_steps.py [--before CHECKOUT]

FLOPs and bytes of a scan count its body once. `--before` is a folder with the commit 607e2d6, whose trainer is called
`trainer`. Each step is compiled in a process of its own and written to aot_steps.csv at once; what is there isn't
compiled again.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("model", "slice", "images", "build", "temporaries", "peak", "flops", "accessed", "seconds", "jax", "libtpu")
STEPS = {  # slices of v5e and v6e, images a chip, layers, remat
    "B/16": (("v5e:1x1", "v6e:1x1"), 64, "loop", "none"),
    "L/16": (("v5e:1x1", "v6e:1x1"), 16, "loop", "none"),
    "g/14": (("v5e:4x4", "v6e:4x4"), 16, "scan", "full"),
}


def trainer(before: str) -> Any:
    """A function that gives the modules of the trainer of a build."""
    if before:
        sys.path.insert(0, before)
    return lambda name: import_module(f"trainer.{name}" if before else f"scalectl.trainer.{name}")


def trunk_of(module: Any, model: str, images: int, layers: str, remat: str) -> Any:
    """The trunk of a model with so many images a step, all else as the paper has it."""
    spec, (name, patch) = module("spec"), model.split("/")
    shapes = {"B": (768, 12, 3072, 12), "L": (1024, 24, 4096, 16), "g": (1408, 40, 6144, 16)}
    data = spec.DataSpec("imagenet", 1_281_167, 0, 0, 0, 224, 3, 1000)
    rates = (8e-4, 1.0, 3.0, 0.03, 10_000, 10_000)
    recipe = spec.RecipeSpec(images, "bfloat16", "map", -6.9, "sigmoid", "adafactor", *rates)
    recipe = replace(recipe, layers=layers, remat=remat)
    return spec.TrunkSpec(spec.ModelSpec(*shapes[name], int(patch)), data, recipe, 0)


def compiled(build: str, before: str, model: str, place: str) -> dict[str, Any]:
    """What the compiler says of a step; `bytes` is this build, to which images come as bytes."""
    import jax
    import jax.numpy as jnp

    from scalectl.trainer import aot
    from scalectl.trainer.topology import topology

    module, began = trainer(before), time.process_time()
    step, slices = module("step"), topology(place)
    _, each, layers, remat = STEPS[model]
    images = each * slices.devices
    trunk = trunk_of(module, model, images, layers, remat)
    lay = module("sharding").Layout(aot.devices_of(slices))
    shape = replace(step.shape(trunk), parts=slices.devices)
    state = step.abstract(shape)
    if not before:
        shape = aot.parted(shape, slices.devices)
        state = jax.eval_shape(module("grouping").training, state)

    def placed(leaf: Any, where: Any) -> Any:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    batch = lay.batch(None)
    pixels: Any = jax.ShapeDtypeStruct((1, *shape.images), jnp.float32, sharding=batch)
    if build == "bytes":
        pixels = module("data.colours").Colours(jax.ShapeDtypeStruct((1, *shape.images), jnp.uint8, sharding=batch))
    labels = jax.ShapeDtypeStruct((1, images), jnp.int32, sharding=batch)
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=lay.whole)
    numbers = jax.tree.map(
        partial(placed, where=lay.whole), jax.eval_shape(lambda: module("optimizer").settings(trunk.recipe, None))
    )
    program = jax.jit(
        partial(step.several_steps, shape), donate_argnums=(0,), out_shardings=(lay.state(state), lay.whole)
    )
    with getattr(lay, "traced", nullcontext)():
        traced = program.trace(jax.tree.map(placed, state, lay.state(state)), count, pixels, labels, numbers)
        lowered = traced.lower(lowering_platforms=("tpu",))
    ready = aot.optimised(lowered)
    memory, cost = ready.memory_analysis(), ready.cost_analysis()
    told = (memory.temp_size_in_bytes, memory.peak_memory_in_bytes, cost["flops"], cost["bytes accessed"])
    made = (round(time.process_time() - began, 1), version("jax"), version("libtpu"))
    return dict(zip(COLUMNS, (model, place, images, build, *told, *made), strict=True))


def missing(builds: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """The steps that are not in the table."""
    with TABLE.open() as lines:
        known = {(row["build"], row["model"], row["slice"]) for row in csv.DictReader(lines)}
    every = [(build, model, place) for model, build in product(STEPS, builds) for place in STEPS[model][0]]
    return [step for step in every if step not in known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default="", help="a checkout of 607e2d6")
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)  # in a process of its own
    asked = parser.parse_args()
    if asked.only:
        build, model, place = asked.only
        row = compiled(build, asked.before if build == "before" else "", model, place)
        with TABLE.open("a") as lines:
            csv.DictWriter(lines, COLUMNS, lineterminator="\n").writerow(row)
        print(row, flush=True)
        return
    if not TABLE.exists():
        TABLE.write_text(",".join(COLUMNS) + "\n")
    builds = ("before", "now", "bytes") if asked.before else ("now", "bytes")
    for step in missing(builds):
        subprocess.run([sys.executable, __file__, "--before", asked.before, "--only", *step], check=True)
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
