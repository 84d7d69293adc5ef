"""What the TPU's compiler says of training steps of all kinds, to hold the formula of trainer/memory.py against.

uv run --extra aot python benchmarks/preflight_cells.py --count 100

Each cell is compiled and written to preflight_cells.csv at once; a second run goes on where the first one ended.
Cells are drawn from a seed: models, tokens, batches, precision, optimizers, slices of every generation.
"""

import argparse
import csv
import os
import random
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from importlib.metadata import version
from itertools import islice
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from scalectl.trainer.aot import compiled
from scalectl.trainer.memory import GIB
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.topology import topology

TABLE = Path(__file__).with_suffix(".csv")
WIDTHS = ((192, 768, 3), (256, 1024, 8), (384, 1536, 6), (512, 2048, 8), (768, 3072, 12), (1024, 4096, 16))
LARGE = ((1408, 6144, 16), (1664, 8192, 16))
PATCHES = ((32, 224), (28, 224), (16, 224), (14, 224), (16, 384))
SLICES = (
    "v5e:1x1",
    "v6e:1x1",
    "v2:2x2",
    "v3:2x2",
    "v4:2x2x1",
    "v5e:2x2",
    "v5p:2x2x1",
    "tpu7x:2x2x1",
    "v6e:2x4",
    "v3:4x4",
    "v5e:4x4",
    "v5e:16x16",
)


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


def cells(seed: int = 17) -> Iterator[Cell]:
    """Yield cells: four that should fit, then four that are too large, of which a refusal comes soon."""
    chance = random.Random(seed)
    for number in range(10**6):
        layers, remat = ("loop", "scan")[number % 2], ("none", "full")[number // 2 % 2]
        slices = chance.choice(SLICES)
        width, mlp, heads = chance.choice(WIDTHS if number % 5 else LARGE)
        patch, image = chance.choice(PATCHES)
        depth = chance.choice((1, 2, 3) if layers == "loop" else (2, 3, 6))
        head = chance.choice(("gap", "gap", "map", "tok"))
        precision = chance.choice(("bfloat16", "bfloat16", "float32"))
        optimizer = chance.choice(("adamw", "adamw", "adafactor"))
        classes = chance.choice((1000, 1000, 29_593))
        shape = (width, depth, mlp, heads, patch, image, classes, head, precision, layers, remat, optimizer)
        share = chance.choice((1.4, 1.9, 2.6) if number // 4 % 2 else (0.2, 0.4, 0.6))
        yield sized(Cell(*shape, 0, 0, slices), share)


def sized(cell: Cell, share: float) -> Cell:
    """The cell with a batch that takes about this share of the memory."""
    slices = topology(cell.topology)
    tokens = (cell.image_size // cell.patch_size) ** 2 + (cell.head == "tok")
    size = 2 if cell.precision == "bfloat16" else 4
    lanes = -(-tokens // 128) * 128
    block = tokens * size * (14 * max(256, cell.width) + 2 * cell.mlp_dim) + 3 * size * cell.num_heads * tokens * lanes
    image = cell.depth * block
    if cell.remat == "full":
        image = 3 * block + cell.depth * tokens * size * cell.width
    elif cell.layers == "scan":
        image *= 2
    images = max(1, round(share * slices.generation.gib * GIB / image / 8)) * 8
    return Cell(*astuple(cell)[:-3], images * slices.devices, 0, cell.topology)


def read() -> list[tuple[Cell, Measured]]:
    """The cells of the table with what the compiler said of them."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return [(_typed(Cell, row), _typed(Measured, row)) for row in csv.DictReader(file)]


def _typed(kind: type, row: dict[str, str]):
    readers = {int: int, float: float, str: str, bool: lambda text: text == "True"}
    return kind(**{field.name: readers[field.type](row[field.name]) for field in fields(kind)})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--paper", action="store_true", help="Only those of the paper's shapes, which take minutes.")
    parser.add_argument("--half", type=int, choices=[0, 1], help="Only cells that should fit, or only too large ones.")
    args = parser.parse_args()
    done = {cell for cell, _ in read()}
    wanted = list(islice(cells(), args.count))
    if args.half is not None:
        wanted = [cell for number, cell in enumerate(wanted) if number // 4 % 2 == args.half]
    if args.paper:
        wanted = list(PAPER)
    for cell in wanted:
        if cell in done:
            continue
        need = compiled(cell.trunk, topology(cell.topology))
        answer = Measured(
            need.fits, need.peak, need.limit, need.arguments, round(need.seconds, 1), version("jax"), version("libtpu")
        )
        row = asdict(cell) | asdict(answer)
        new = not TABLE.exists()
        with TABLE.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(f"{cell.topology} {'fits' if answer.fits else 'refused'} {answer.peak / GIB:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
