"""What a step of each model of the paper's Table 2 needs on each chip of v5e, at equal images a chip on all slices.

uv run --extra aot python benchmarks/slices.py --model G/14 --topology v5e:16x16

Each step is compiled and written to slices.csv at once; a second run goes on where the first one ended. `every` lists
arrays that have all tokens or heads of a batch, or its images beside tokens, heads or pixels: a chip with such an array
holds a part of every image. The images of a chip are a prime that makes such sides unlike any other.
"""

import argparse
import csv
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from preflight_cells import Cell, append, typed

from scalectl.trainer import aot
from scalectl.trainer.memory import GIB, length_of
from scalectl.trainer.presets import preset
from scalectl.trainer.sharding import Layout
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.step import shape
from scalectl.trainer.topology import topology

TABLE = Path(__file__).with_suffix(".csv")
MODELS = ("s/28", "s/16", "S/32", "Ti/16", "B/32", "S/16", "B/28", "B/16", "L/16", "g/14", "G/14")
SLICES = ("v5e:4x4", "v5e:16x16", "v5e:2x2", "v5e:8x8", "v5e:8x16")
IMAGES = 19  # a chip


@dataclass(frozen=True)
class Step:
    """What the compiler says of a step; bytes and FLOPs are those of a chip, with a scan's block once."""

    model: str
    topology: str
    images: int
    peak: int
    arguments: int
    accessed: float
    flops: float
    every: str
    seconds: float
    jax: str
    libtpu: str


def trunk(model: str, place: str) -> TrunkSpec:
    """The trunk of a model with so many images a chip."""
    name, patch_size = model.split("/")
    of = preset(name, int(patch_size))
    how = ("map", "bfloat16", "scan", "full", "adafactor", IMAGES * topology(place).devices, 0, place)
    return Cell(of.width, of.depth, of.mlp_dim, of.num_heads, of.patch_size, 224, 29_593, *how).trunk


def step(model: str, place: str) -> Step:
    """What the compiler says of it."""
    began, of, lay = time.process_time(), trunk(model, place), Layout(aot.devices_of(topology(place)))
    made = aot.parted(shape(of), len(lay.devices))
    program = aot.optimised(aot.lower(made, lay, aot.arguments(made, lay), of))
    memory, cost = program.memory_analysis(), program.cost_analysis()
    return Step(
        model,
        place,
        of.recipe.batch_size,
        memory.peak_memory_in_bytes,
        memory.argument_size_in_bytes,
        cost["bytes accessed"],
        cost["flops"],
        " ".join(every_image(program.as_text(), of)),
        round(time.process_time() - began, 1),
        version("jax"),
        version("libtpu"),
    )


def every_image(program: str, of: TrunkSpec) -> list[str]:
    """The arrays of a compiled program that have a part of every image of a batch."""
    batch, length, heads = of.recipe.batch_size, length_of(of), of.model.num_heads
    found = {match: [int(side) for side in match.split(",")] for match in re.findall(r"[a-z]+\d+\[([\d,]+)\]", program)}
    own = {IMAGES * length, IMAGES * heads, IMAGES * heads * length}  # sides of the arrays of a chip
    rows = {batch * length, batch * heads, batch * heads * length} - own
    beside = {of.data.image_size}
    if batch not in own:
        beside |= {length, heads}
    return [text for text, sides in found.items() if rows & {*sides} or (batch in sides and beside & {*sides})]


def read() -> list[Step]:
    """The steps of the table."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return [typed(Step, row) for row in csv.DictReader(file)]


def missing(models: tuple[str, ...], slices: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the models and slices that the table lacks."""
    done = {(one.model, one.topology) for one in read()}
    yield from (pair for pair in ((model, place) for place, model in product(slices, models)) if pair not in done)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--topology", choices=SLICES, action="append")
    args = parser.parse_args()
    for model, place in missing(tuple(args.model or MODELS), tuple(args.topology or SLICES)):
        row = asdict(step(model, place))
        append(TABLE, row)
        print(f"{model} on {place}: {row['peak'] / GIB:.2f} GiB a chip {row['every']}", flush=True)


if __name__ == "__main__":
    main()
