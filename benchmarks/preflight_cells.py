"""What the TPU's compiler says of training steps of all kinds, to hold the formula of trainer/memory.py against.

uv run --extra aot python benchmarks/preflight_cells.py --count 100

Each cell is compiled and written to preflight_cells.csv at once; a second run goes on where the first one ended.
Cells are dealt from a seed: models, tokens, batches, precision, optimizers, slices of every generation.
"""

import argparse
import csv
import os
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from scalectl.trainer.aot import compiled
from scalectl.trainer.apart import Ended, apart
from scalectl.trainer.memory import GIB, given
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.topology import topology

TABLE = Path(__file__).with_suffix(".csv")
SHAPES = (  # width, MLP width, heads: those of the paper, and one between S and B
    *((192, 768, 3), (256, 1024, 8), (384, 1536, 6), (512, 2048, 8), (768, 3072, 12), (1024, 4096, 16)),
    *((1408, 6144, 16), (1664, 8192, 16)),
)
PATCHES = ((16, 224), (32, 224), (28, 224), (14, 224), (4, 32), (16, 384))  # 196, 49, 64, 256, 64 and 576 tokens
SLICES = (
    *("v5e:1x1", "v6e:1x1", "v5e:2x2", "v3:2x2", "v2:2x2", "v4:2x2x1", "v5p:2x2x1", "tpu7x:2x2x1"),
    *("v5e:4x4", "v6e:2x4", "v3:4x4", "v4:2x2x4", "v5e:8x8", "v5p:2x4x4"),
)
SETTINGS = {
    "shape": SHAPES,
    "patches": PATCHES,
    "slices": SLICES,
    "share": (0.4, 0.1, 0.6, 0.05, 0.2, 1.8),  # of the memory, about
    "head": ("map", "gap", "tok", "map"),
    "precision": ("bfloat16", "bfloat16", "float32"),
    "optimizer": ("adafactor", "adamw"),
    "classes": (1000, 1000, 1000, 29_593),
    "pieces": (1, 1, 1, 1, 1, 1, 4),  # microbatches
    "loop": (1, 2, 1, 2, 3),  # blocks
    "scan": (2, 6, 3, 2, 12),
}


@dataclass(frozen=True)
class Cell:
    """A training step and the slice that it is compiled for."""

    width: int
    depth: int
    mlp_dim: int
    num_heads: int
    patch_size: int
    image_size: int
    num_classes: int
    head: str
    precision: str
    layers: str
    remat: str
    optimizer: str
    batch_size: int
    microbatch: int
    topology: str

    @property
    def trunk(self) -> TrunkSpec:
        """The trunk whose step it is."""
        model = ModelSpec(self.width, self.depth, self.mlp_dim, self.num_heads, self.patch_size)
        data = DataSpec("synthetic", 10**6, 1000, 0, 0, self.image_size, 3, self.num_classes)
        rates = (1e-3, 1.0, 3.0, 0.03)
        later = {"layers": self.layers, "remat": self.remat, "microbatch": self.microbatch}
        words = (self.precision, self.head, -10.0, "sigmoid", self.optimizer)
        return TrunkSpec(model, data, RecipeSpec(self.batch_size, *words, *rates, 10_000, 10_000, **later), 0)


PAPER = (  # shapes of Table 2 at full depth: G/14 with 16 images a chip on two slices, g/14 as the paper trained it
    Cell(1664, 48, 8192, 16, 14, 224, 29_593, "map", "bfloat16", "scan", "full", "adafactor", 4096, 0, "v5e:16x16"),
    Cell(1664, 48, 8192, 16, 14, 224, 29_593, "map", "bfloat16", "scan", "full", "adafactor", 256, 0, "v5e:4x4"),
    Cell(1408, 40, 6144, 16, 14, 224, 29_593, "map", "bfloat16", "scan", "full", "adafactor", 1024, 0, "v3:4x4"),
    Cell(384, 12, 1536, 6, 16, 224, 1000, "map", "bfloat16", "loop", "none", "adafactor", 640, 0, "v5e:2x2"),
    Cell(1024, 24, 4096, 16, 16, 224, 1000, "map", "bfloat16", "scan", "full", "adafactor", 1792, 0, "v5e:2x2"),
)


@dataclass(frozen=True)
class Measured:
    """The compiler's answer; where it refuses, `peak` is what the step would need."""

    fits: bool
    peak: int
    limit: int
    arguments: int
    seconds: float
    jax: str
    libtpu: str


def cells(seed: int = 18) -> Iterator[Cell]:
    """Yield cells; with each choice of layers and remat every value of a setting comes equally often."""
    choices = list(product(("loop", "scan"), ("none", "full")))
    decks = {
        choice: {name: dealt(values, f"{seed} {choice} {name}") for name, values in SETTINGS.items()}
        for choice in choices
    }
    for layers, remat in cycle(choices):
        drawn = {name: next(deck) for name, deck in decks[layers, remat].items()}
        how = (drawn["head"], drawn["precision"], layers, remat, drawn["optimizer"])
        width, mlp, heads = drawn["shape"]
        cell = Cell(width, drawn[layers], mlp, heads, *drawn["patches"], drawn["classes"], *how, 0, 0, drawn["slices"])
        yield sized(cell, drawn["share"], drawn["pieces"])


def dealt(values: tuple[Any, ...], seed: str) -> Iterator[Any]:
    """Yield the values again and again, each time all of them in another order."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(values, len(values))


def sized(cell: Cell, share: float, pieces: int) -> Cell:
    """The cell with a batch that takes about this share of the memory, in so many microbatches."""
    slices = topology(cell.topology)
    tokens = (cell.image_size // cell.patch_size) ** 2 + (cell.head == "tok")
    size = 2 if cell.precision == "bfloat16" else 4
    lanes = -(-tokens // 128) * 128
    block = tokens * size * (8 * max(256, cell.width) + 2 * cell.mlp_dim) + size * cell.num_heads * tokens * lanes
    kept = {"loop none": cell.depth, "scan none": 2 * cell.depth}.get(f"{cell.layers} {cell.remat}", 3)
    image = kept * block + cell.depth * tokens * size * cell.width + 12 * cell.image_size**2 * 3
    room = share * slices.generation.gib * GIB - given(replace(cell, batch_size=slices.devices).trunk, slices.devices)
    images = max(1, round(room / image / 8)) * 8 * slices.devices
    return replace(cell, batch_size=pieces * images, microbatch=images * (pieces > 1))


def read() -> list[tuple[Cell, Measured]]:
    """The cells of the table with what the compiler said of them."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return [(typed(Cell, row), typed(Measured, row)) for row in csv.DictReader(file)]


def typed(kind: type, row: dict[str, str]):
    readers = {int: int, float: float, str: str, bool: lambda text: text == "True"}
    return kind(**{field.name: readers[field.type](row[field.name]) for field in fields(kind)})


def append(table: Path, row: dict[str, Any]) -> None:
    """Write a row at the end of a CSV file, which gets its header with the first one."""
    new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--paper", action="store_true", help="Only those of the paper's shapes, which take minutes.")
    args = parser.parse_args()
    done = {cell for cell, _ in read()}
    wanted = [*islice(cells(), args.count)]
    if args.paper:
        wanted = list(PAPER)
    for cell in wanted:
        if cell in done:
            continue
        try:
            need = apart(compiled, cell.trunk, topology(cell.topology))
        except Ended:  # a fault of the compiler, which says nothing of the step
            continue
        answer = Measured(
            need.fits, need.peak, need.limit, need.arguments, round(need.seconds, 1), version("jax"), version("libtpu")
        )
        append(TABLE, asdict(cell) | asdict(answer))
        print(f"{cell.topology} {'fits' if answer.fits else 'refused'} {answer.peak / GIB:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
