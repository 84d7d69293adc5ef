"""What a training step needs on each device of a slice of TPUs, by a formula where no compiler can be asked."""

from dataclasses import astuple, dataclass
from enum import StrEnum
from importlib.util import find_spec

from scalectl.trainer import state_size
from scalectl.trainer.flops import dispatch, tokens, training_flops
from scalectl.trainer.spec import Layers, Remat, TrunkSpec
from scalectl.trainer.topology import Topology

GIB = 2**30
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

    gradients: float  # at 32 bits, divided as the parameters are
    gathered: float  # the weights of a block and of the classifier, whole, where they are divided
    images: float
    logits: float
    # of one block of the encoder: tokens x width, tokens x MLP width, heads x tokens x tokens, heads x tokens x head
    stream: float
    hidden: float
    scores: float
    heads: float
    softmax: float = 0.0  # the scores at 32 bits

    def dot(self, weights: "Arrays") -> float:
        """The bytes of so many of each."""
        return sum(size * weight for size, weight in zip(astuple(self), astuple(weights), strict=True))


# How many of each array the peak holds beside the arguments: of all blocks together, and once. Fitted to what libtpu
# 0.0.42.1 said of the cells of benchmarks/preflight_cells.csv by benchmarks/preflight_fit.py.
BLOCKS: dict[tuple[Layers, Remat], Arrays] = {
    ("loop", "none"): Arrays(0.0, 0.0, 0.0, 0.0, 0.0, 2.1, 0.91, 3.6, 0.0),
    ("scan", "none"): Arrays(0.0, 0.0, 0.0, 0.0, 7.46, 5.3, 2.48, 9.02, 0.0),
    ("loop", "full"): Arrays(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    ("scan", "full"): Arrays(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
}
ONCE: dict[tuple[Layers, Remat], Arrays] = {
    ("loop", "none"): Arrays(0.68, 0.41, 1.53, 0.0, 0.0, 1.51, 0.0, 0.0, 0.0),
    ("scan", "none"): Arrays(0.81, 0.93, 1.18, 1.47, 0.0, 1.51, 0.0, 0.0, 2.95),
    ("loop", "full"): Arrays(0.38, 0.64, 5.2, 0.91, 0.0, 0.62, 0.0, 10.65, 0.17),
    ("scan", "full"): Arrays(2.27, 0.33, 6.47, 4.42, 0.0, 0.0, 0.0, 11.01, 0.16),
}
MARGIN = 0.3  # 51 of 53 cells are off by less, 44 by less than half of it
MAKES_ROOM = 2.0  # times the limit: a larger estimate was never accepted


def compiler_here() -> bool:
    """Whether the TPU's compiler is installed."""
    return find_spec("libtpu") is not None


def estimate(trunk: TrunkSpec, slices: Topology) -> Need:
    """What a trunk's step needs by the formula; raises ValueError where the slice's devices can't share a batch."""
    devices, recipe = slices.devices, trunk.recipe
    for size in (recipe.batch_size, recipe.microbatch):
        if size % devices:
            raise ValueError(f"{size} images can't be shared by {devices} devices: give a multiple of {devices}")
    limit, peak = round(slices.generation.gib * GIB), round(peak_bytes(trunk, devices, length_of(trunk)))
    verdict = Verdict.UNSURE
    pictures = arrays(trunk, devices, length_of(trunk)).images
    padded = pictures * LANES / trunk.data.channels
    cut = pictures * ONCE[trunk.recipe.layers, trunk.recipe.remat].images
    if peak * (1 + MARGIN) + padded <= limit:  # XLA may lay images out with each pixel's channels on lanes of their own
        verdict = Verdict.FITS
    elif peak - cut > MAKES_ROOM * limit:  # the cells were compiled when cutting pictures took more room
        verdict = Verdict.OVER
    return Need(verdict, peak, limit, round(given(trunk, devices)), compiled=False, margin=MARGIN)


def length_of(trunk: TrunkSpec) -> int:
    """The tokens of an image, with that of the head."""
    return tokens(trunk.model, trunk.data.image_size) + (trunk.recipe.head == "tok")


def given(trunk: TrunkSpec, devices: int) -> float:
    """The bytes of a step's arguments on each of `devices`."""
    return state_size.arguments(trunk, devices, dispatch(training_flops(trunk, 1)))


def peak_bytes(trunk: TrunkSpec, devices: int, length: int) -> float:
    """The bytes that each device needs at most, for images of so many tokens."""
    sizes, choice = arrays(trunk, devices, length), (trunk.recipe.layers, trunk.recipe.remat)
    return given(trunk, devices) + trunk.model.depth * sizes.dot(BLOCKS[choice]) + sizes.dot(ONCE[choice])


def arrays(trunk: TrunkSpec, devices: int, length: int) -> Arrays:
    """The arrays of a trunk's step on each of `devices`, for images of so many tokens."""
    model, recipe, data = trunk.model, trunk.recipe, trunk.data
    size = 2 if recipe.precision == "bfloat16" else 4
    images = (recipe.microbatch or recipe.batch_size) / devices
    rows, head = images * length * size, model.width // model.num_heads
    pair = min(up(length, ROWS) * up(head, LANES), up(length, LANES) * up(head, ROWS))
    scores = images * model.num_heads * up(length, ROWS) * up(length, LANES)
    return Arrays(
        gradients=4.0 * state_size.held(trunk, devices),
        gathered=state_size.gathered(trunk) * (state_size.parts_of(trunk, devices) > 1),
        images=4.0 * images * data.image_size**2 * data.channels,
        logits=4.0 * images * up(data.num_classes, LANES),
        stream=rows * up(model.width, LANES),
        hidden=rows * up(model.mlp_dim, LANES),
        scores=scores * size,
        heads=images * model.num_heads * pair * size,
        softmax=scores * 4,
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
    words = f"{length} tokens of an image take the room of {above} where tokens meet tokens"
    if below and length - below < LANES // 4:
        more = peak_bytes(trunk, 1, length) / peak_bytes(trunk, 1, below) - 1
        words += f": about {100 * more:.0f} % more memory than {below} tokens"
    return words
