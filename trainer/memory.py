"""What a training step needs on each device of a slice of TPUs, by a formula where no compiler can be asked."""

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
RING = 8  # devices, from which on XLA passes weights on, but for the oldest generations
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
    pool: float = 0.0  # the stream at 32 bits, where a head attends to all tokens
    turns: float = 0.0  # tokens x MLP width, where parts of weights are passed on while they are multiplied

    def dot(self, weights: "Arrays") -> float:
        """The bytes of so many of each."""
        return sum(size * weight for size, weight in zip(astuple(self), astuple(weights), strict=True))


# How many of each array the peak holds beside the arguments: of all blocks together, and once. Fitted to what libtpu
# 0.0.50.1 said of the cells of benchmarks/preflight_cells.csv by benchmarks/preflight_fit.py.
BLOCKS: dict[tuple[Layers, Remat], Arrays] = {
    ("loop", "none"): Arrays(stream=4.19, hidden=1.22, scores=1.03, heads=2.98),
    ("scan", "none"): Arrays(stream=3, hidden=5, heads=3, wide=6, softmax=1),
    ("loop", "full"): Arrays(stream=1),
    ("scan", "full"): Arrays(stream=1),
}
ONCE: dict[tuple[Layers, Remat], Arrays] = {
    ("loop", "none"): Arrays(
        gradients=0.76,
        gathered=0.45,
        patches=0.52,
        logits=0.99,
        pieces=1.06,
        stream=1.22,
        hidden=0.34,
        scores=0.41,
        heads=0.76,
        wide=0.51,
        pool=2.36,
        turns=0.66,
    ),
    ("scan", "none"): Arrays(
        gradients=1.61,
        gathered=0.43,
        patches=0.96,
        logits=0.99,
        pieces=1.01,
        stream=1.94,
        hidden=1.81,
        scores=0.64,
        heads=2.83,
        wide=0.5,
        pool=1.83,
        turns=0.48,
    ),
    ("loop", "full"): Arrays(
        gradients=0.75,
        gathered=0.41,
        patches=0.8,
        logits=0.92,
        pieces=0.71,
        stream=2.69,
        hidden=1.21,
        scores=1.32,
        heads=3.35,
        wide=0.49,
        pool=2.68,
        turns=1.01,
    ),
    ("scan", "full"): Arrays(
        gradients=2.96,
        gathered=0.47,
        patches=1.22,
        logits=0.87,
        pieces=1,
        stream=2.42,
        hidden=1.46,
        scores=1.19,
        heads=3.02,
        wide=0.44,
        pool=1.42,
        turns=1.09,
    ),
}
MARGIN = 0.3  # by which an estimate may differ from what the compiler says: a quarter is about the most that was seen
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
    verdict = Verdict.UNSURE
    unrolled = (recipe.layers, recipe.remat) == ("loop", "none")
    if peak <= (1 - MARGIN) * limit:
        verdict = Verdict.FITS
    elif peak > (MAKES_ROOM if unrolled else 1 + MARGIN) * limit:  # XLA computes parts of a loop again to make room
        verdict = Verdict.OVER
    return Need(verdict, peak, limit, round(given(trunk, devices)), compiled=False, margin=MARGIN)


def length_of(trunk: TrunkSpec) -> int:
    """The tokens of an image, with that of the head."""
    return tokens(trunk.model, trunk.data.image_size) + (trunk.recipe.head == "tok")


def given(trunk: TrunkSpec, devices: int) -> float:
    """The bytes of a step's arguments on each of `devices`."""
    return state_size.arguments(trunk, devices, dispatch(training_flops(trunk, 1)))


def peak_bytes(trunk: TrunkSpec, slices: Topology, length: int) -> float:
    """The bytes that each device needs at most, for images of so many tokens."""
    sizes, choice = arrays(trunk, slices, length), (trunk.recipe.layers, trunk.recipe.remat)
    return given(trunk, slices.devices) + trunk.model.depth * sizes.dot(BLOCKS[choice]) + sizes.dot(ONCE[choice])


def arrays(trunk: TrunkSpec, slices: Topology, length: int) -> Arrays:
    """The arrays of a trunk's step on each device of a slice, for images of so many tokens."""
    devices, divided = slices.devices, state_size.parts_of(trunk, slices.devices) > 1
    passing = divided and devices >= RING and slices.generation.name not in ("v2", "v3")
    model, recipe, data = trunk.model, trunk.recipe, trunk.data
    size = 2 if recipe.precision == "bfloat16" else 4
    images = (recipe.microbatch or recipe.batch_size) / devices
    stream, hidden = (images * length * up(width, LANES) for width in (model.width, model.mlp_dim))
    head = model.width // model.num_heads
    pair = min(up(length, ROWS) * up(head, LANES), up(length, LANES) * up(head, ROWS))
    scores = images * model.num_heads * up(length, ROWS) * up(length, LANES)
    return Arrays(
        gradients=4.0 * state_size.held(trunk, devices),
        gathered=state_size.gathered(trunk) * divided,
        patches=images * tokens(model, data.image_size) * size * up(model.patch_size**2 * data.channels, LANES),
        logits=4.0 * images * up(data.num_classes, LANES),
        stream=stream * size,
        hidden=hidden * size,
        scores=scores * size,
        heads=images * model.num_heads * pair * size,
        wide=stream * 4,
        softmax=scores * 4,
        pool=stream * 4 * (recipe.head == "map"),
        turns=hidden * size * passing,
        pieces=4.0 * recipe.batch_size / devices * data.image_size**2 * data.channels * (recipe.microbatch > 0),
    )


def up(size: int, multiple: int) -> int:
    """The least multiple that is no smaller."""
    return -(-size // multiple) * multiple


def padding(trunk: TrunkSpec) -> str:
    """What the padding of a trunk's tokens costs, in words; nothing where there is none."""
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
