"""What a training step needs on each device of a slice of TPUs, by a formula where no compiler can be asked."""

import math
from dataclasses import astuple, dataclass
from enum import StrEnum
from importlib.util import find_spec

from scalectl.trainer import state_size
from scalectl.trainer.counting import counted
from scalectl.trainer.division import unshared
from scalectl.trainer.flops import dispatch, tokens, training_flops
from scalectl.trainer.spec import Layers, Remat, TrunkSpec
from scalectl.trainer.topology import Topology, topology

GIB = 2**30
RING = range(8, 33)  # devices among which XLA passes parts of weights on while it multiplies; 64 gather them before,
WHOLE_FIRST = ("v2", "v3")  # as these generations do at any number
LANES, ROWS = 128, 8  # of a TPU: the last two dimensions of an array are padded to multiples of them


class Verdict(StrEnum):
    """Whether a step fits; where a formula can't tell, it is unsure."""

    FITS = "fits"
    UNSURE = "unsure"
    OVER = "out_of_memory"


@dataclass(frozen=True)
class Need:
    """Bytes that a training step needs on each device of a slice."""

    verdict: Verdict
    peak: int  # the most at any time, arguments included; where it is refused, what it would take
    limit: int
    arguments: int  # the device's part of the state, and of the batches of one dispatch
    compiled: bool  # by the TPU's compiler; else estimated
    margin: float = 0.0  # by which the compiler's number may differ from an estimate, as a share
    seconds: float = 0.0  # that the answer took

    @property
    def fits(self) -> bool:
        """Whether it is sure to fit."""
        return self.verdict is Verdict.FITS


@dataclass(frozen=True)
class Arrays:
    """The bytes of the arrays of a step on each device, as they are padded; or how many of each there are."""

    gradients: float = 0.0  # at 32 bits, divided as the parameters are
    stacked: float = 0.0  # the parameters of all blocks once more, where a scan stacks them
    gathered: float = 0.0  # the weights of a block and of the classifier, whole, where they are divided
    patches: float = 0.0  # the pictures as rows of patches
    logits: float = 0.0
    pieces: float = 0.0  # all pictures of a batch once more, where it is cut into microbatches
    # of one block of the encoder: tokens x width, tokens x MLP width, heads x tokens x tokens, heads x tokens x head
    stream: float = 0.0
    hidden: float = 0.0
    scores: float = 0.0
    heads: float = 0.0
    wide: float = 0.0  # the stream at 32 bits
    softmax: float = 0.0  # the scores at 32 bits
    passed: float = 0.0  # stream and hidden, where parts of weights are passed on while they are multiplied
    spared: float = 0.0  # what the gradient of attention spares where it has one more of scores for three of heads
    pool: float = 0.0  # the stream, where a head attends to all tokens
    pooled: float = 0.0  # the heads, there

    def dot(self, weights: "Arrays") -> float:
        """The bytes of so many of each."""
        return sum(size * weight for size, weight in zip(astuple(self), astuple(weights), strict=True))


@dataclass(frozen=True)
class Weights:
    """How many of each array the peak holds beside the arguments."""

    kept: Arrays  # of each block
    once: Arrays
    phases: tuple[Arrays, ...]  # of the backward pass, of which the largest counts: MLP, attention, pooling

    def bytes(self, sizes: Arrays, depth: int) -> float:
        """The bytes of all of them."""
        return depth * sizes.dot(self.kept) + sizes.dot(self.once) + max(map(sizes.dot, self.phases))


# Counted in programs of libtpu 0.0.50.1, then fitted to what it said of the cells of benchmarks/preflight_cells.csv by
# benchmarks/preflight_fit.py, which prints these lines.
FULL = Weights(
    Arrays(stream=1),
    Arrays(gradients=0.95, stacked=1.99, gathered=0.46, patches=1.18, logits=0.7, pieces=1.01, passed=0.56),
    (
        Arrays(stream=4.27, hidden=1.22, scores=1.15, heads=3.66),
        Arrays(stream=2, hidden=0.2, scores=1.94, heads=5.07, spared=-1),
        Arrays(pool=4, pooled=3),
    ),
)
LOOP_NONE = Weights(
    Arrays(stream=4.21, hidden=1.05, scores=1.18, heads=3.02, passed=1.04),
    Arrays(gradients=0.99, gathered=0.5, patches=1.03, logits=0.7, pieces=1.02),
    (
        Arrays(stream=1, hidden=0.2),
        Arrays(stream=-2, hidden=-1, scores=1, heads=1.98, spared=-1),
        Arrays(pool=4.28, pooled=2.08),
    ),
)
SCAN_NONE = Weights(
    Arrays(stream=3, hidden=5, heads=3, wide=6, softmax=1),
    Arrays(gradients=0.98, stacked=0.98, gathered=0.49, patches=1, logits=0.7, pieces=1, passed=0.5),
    (Arrays(stream=3, hidden=2, scores=0.7, heads=2.98), Arrays(pool=6, pooled=2)),
)
WEIGHTS: dict[tuple[Layers, Remat], Weights] = {
    ("loop", "none"): LOOP_NONE,
    ("scan", "none"): SCAN_NONE,
    ("loop", "full"): FULL,
    ("scan", "full"): FULL,
}
# By which an estimate may differ from what the compiler says, as a share: more than was seen on any cell. libtpu
# 0.0.42.1 says up to 18 % more than 0.0.50.1 of a scan that is refused.
MARGINS: dict[tuple[Layers, Remat], float] = {
    ("loop", "none"): 0.25,
    ("scan", "none"): 0.2,
    ("loop", "full"): 0.35,
    ("scan", "full"): 0.3,
}
MAKES_ROOM = 2.0  # times the limit: a larger estimate of an unrolled loop was never accepted


ONE = topology("v5e:1x1")


def compiler_here() -> bool:
    """Whether the TPU's compiler is installed."""
    return find_spec("libtpu") is not None


def estimate(trunk: TrunkSpec, slices: Topology) -> Need:
    """What a trunk's step needs by the formula; raises ValueError where the slice's devices can't share a batch."""
    devices, recipe = slices.devices, trunk.recipe
    if problems := unshared(devices, recipe.batch_size, recipe.microbatch):
        raise ValueError(problems[0])
    limit, peak = round(slices.generation.gib * GIB), round(peak_bytes(trunk, slices, length_of(trunk)))
    if trunk.model.is_own:  # what a step needs beside state and gradients is known of ViTs alone
        verdict = Verdict.OVER if peak > limit else Verdict.UNSURE
        return Need(verdict, peak, limit, round(given(trunk, devices)), compiled=False)
    verdict, margin = Verdict.UNSURE, MARGINS[recipe.layers, recipe.remat]
    unrolled = (recipe.layers, recipe.remat) == ("loop", "none")
    if peak <= (1 - margin) * limit:
        verdict = Verdict.FITS
    elif peak > (MAKES_ROOM if unrolled else 1 + margin) * limit:  # XLA computes parts of a loop again to make room
        verdict = Verdict.OVER
    return Need(verdict, peak, limit, round(given(trunk, devices)), compiled=False, margin=margin)


def length_of(trunk: TrunkSpec) -> int:
    """The tokens of an image, with that of the head."""
    return tokens(trunk.model, trunk.data.image_size) + (trunk.recipe.head == "tok")


def given(trunk: TrunkSpec, devices: int) -> float:
    """The bytes of a step's arguments on each of `devices`."""
    return state_size.arguments(trunk, devices, dispatch(training_flops(trunk, 1)))


def peak_bytes(trunk: TrunkSpec, slices: Topology, length: int) -> float:
    """The bytes that each device needs at most, for images of so many tokens; of a model of one's own at least."""
    if trunk.model.is_own:
        return given(trunk, slices.devices) + 4.0 * state_size.held(trunk, slices.devices)
    weights = WEIGHTS[trunk.recipe.layers, trunk.recipe.remat]
    return given(trunk, slices.devices) + weights.bytes(arrays(trunk, slices, length), trunk.model.depth)


def arrays(trunk: TrunkSpec, slices: Topology, length: int) -> Arrays:
    """The arrays of a trunk's step on each device of a slice, for images of so many tokens."""
    devices, divided = slices.devices, state_size.parts_of(trunk, slices.devices) > 1
    passing = divided and devices in RING and slices.generation.name not in WHOLE_FIRST
    model, recipe, data = trunk.model, trunk.recipe, trunk.data
    size = 2 if recipe.precision == "bfloat16" else 4
    images = (recipe.microbatch or recipe.batch_size) / devices
    stream, hidden = (matrix(images * length, width) for width in (model.width, model.mlp_dim))
    head = model.width // model.num_heads
    pair: float = min(up(length, ROWS) * up(head, LANES), up(length, LANES) * up(head, ROWS))
    if recipe.remat == "full" and length % LANES == 0:  # XLA has heads in both layouts then, also in the one that pads
        pair = (pair + length * up(head, LANES)) / 2
    heads = images * model.num_heads * pair * size
    scores = images * model.num_heads * up(length, ROWS) * up(length, LANES)
    pooling = recipe.head == "map"
    return Arrays(
        gradients=4.0 * state_size.held(trunk, devices),
        stacked=4.0 * state_size.blocks(trunk, devices) * (recipe.layers == "scan"),
        gathered=state_size.gathered(trunk) * divided,
        patches=images * tokens(model, data.image_size) * size * up(model.patch_size**2 * data.channels, LANES),
        logits=4.0 * images * up(data.num_classes, LANES),
        stream=stream * size,
        hidden=hidden * size,
        scores=scores * size,
        heads=heads,
        wide=stream * 4,
        softmax=scores * 4,
        passed=(2 * stream + hidden) * size * passing,
        spared=max(0.0, 3 * heads - scores * size),
        pool=stream * size * pooling,
        pooled=heads * pooling,
        pieces=4.0 * recipe.batch_size / devices * data.image_size**2 * data.channels * (recipe.microbatch > 0),
    )


def matrix(rows: float, width: int) -> float:
    """The elements of a matrix in the layout that pads it least."""
    return min(rows * up(width, LANES), up(math.ceil(rows), LANES) * width)


def up(size: int, multiple: int) -> int:
    """The least multiple that is no smaller."""
    return -(-size // multiple) * multiple


def padding(trunk: TrunkSpec) -> str:
    """What the padding of a trunk's tokens costs, in words; nothing where there is none."""
    if trunk.model.is_own:
        return ""
    length = length_of(trunk)
    below, above = length // LANES * LANES, up(length, LANES)
    if length == above:
        return ""
    take = "takes" if length == 1 else "take"
    words = f"{counted(length, 'token')} of an image {take} the room of {above} where tokens meet tokens"
    if below and length - below < LANES // 4:
        more = peak_bytes(trunk, ONE, length) / peak_bytes(trunk, ONE, below) - 1
        words += f": about {100 * more:.0f} % more memory than {below} tokens"
    return words
