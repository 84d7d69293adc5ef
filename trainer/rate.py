"""The share of a device's peak that training reaches (MFU) by the size of its model, before any was measured."""

import math
from itertools import pairwise

from scalectl.trainer.flops import tokens
from scalectl.trainer.spec import TrunkSpec

# By width, for images of 256 tokens: from the core-days of TPU v3 in Figure 2 of arXiv 2106.04560, which are the same
# number for each step of a model. The paper doesn't say whether g/14 and G/14, the last two, computed activations
# again; theirs is the middle of both readings, 15 % from either.
SHARES = {192: 0.174, 256: 0.197, 384: 0.350, 768: 0.518, 1024: 0.584, 1408: 0.525, 1664: 0.470}
AGAIN = 3 / 4  # of that with rematerialisation, which adds a forward pass to three
# Images of 49 and of 64 tokens take the same time there, and 0.39 times that of 196 at all widths: tokens are padded,
# and an image costs as much as 60 more.
OVERHEAD = 60
FULL = 256

TYPICAL = 0.4  # where no model is known
PAPER_KIND = "v3"
PAPER_MARGIN = 0.2  # the paper's eleven models are within it


def mfu(trunk: TrunkSpec) -> float:
    """The MFU of training a model, interpolated by its width between those of the paper."""
    length = tokens(trunk.model, trunk.data.image_size) + (trunk.recipe.head == "tok")
    useful = length / (padded(length) + OVERHEAD)
    reached = _share(trunk.model.width) * useful * (FULL + OVERHEAD) / FULL
    if trunk.recipe.remat == "full":
        reached *= AGAIN
    return reached


def padded(length: int) -> int:
    """The tokens that a TPU computes for so many: 64 at least, and else a multiple of 128."""
    if length <= 64:
        return 64
    return -(-length // 128) * 128


def _share(width: int) -> float:
    widths = list(SHARES)
    if width <= widths[0]:
        return SHARES[widths[0]]
    for lower, upper in pairwise(widths):
        if width <= upper:
            part = math.log(width / lower) / math.log(upper / lower)
            return SHARES[lower] * (SHARES[upper] / SHARES[lower]) ** part
    return SHARES[widths[-1]]
