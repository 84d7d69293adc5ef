"""Parameters and FLOPs of a ViT in closed form, and what a budget buys of them; a multiply-add is 2 FLOPs."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scalectl.trainer.spec import Head, ModelSpec, Positions, PreLogits, TrunkSpec

if TYPE_CHECKING:
    from scalectl.trainer.own_model import Counts

# The counts are those of XLA's cost analysis of trainer.vit at batch 1: matrix products, and one FLOP for each
# element-wise addition, multiplication or comparison; exp, tanh and rsqrt are none. With the gap head and the paper's
# 29,593 classes they are the GFLOPs of Table 2 of arXiv 2106.04560.

TRAINING = 3  # forward, and twice as much backward
DISPATCH_FLOPS = 5e9  # work enough to hide what it costs to begin a dispatch
MAX_STEPS = 16  # in one dispatch; more gained nothing on tiny models


def tokens(model: ModelSpec, image_size: int) -> int:
    """The patches of an image; what is left over at its right and lower edges makes none."""
    return (image_size // model.patch_size) ** 2


def body_params(model: ModelSpec, *, image_size: int, channels: int, positions: Positions = "learned") -> int:
    """The parameters that Table 2 of arXiv 2106.04560 counts: embedding, positions, encoder, last norm."""
    width, mlp = model.width, model.mlp_dim
    embedding = model.patch_size**2 * channels * width + width
    block = 4 * width * (width + 1) + _mlp_params(width, mlp) + 4 * width
    learned = tokens(model, image_size) * width if positions == "learned" else 0
    return embedding + learned + model.depth * block + 2 * width


def params(
    model: ModelSpec,
    *,
    head: Head,
    image_size: int,
    channels: int,
    num_classes: int,
    positions: Positions = "learned",
    pre_logits: PreLogits = "none",
) -> int:
    """All parameters of a model, those of its pooling, its layer before the classifier and its classifier included."""
    if model.is_own:
        sides = {"image_size": image_size, "channels": channels, "num_classes": num_classes}
        return _counts(model, sides, head=head, positions=positions, pre_logits=pre_logits).params
    width = model.width
    pool = {"gap": 0, "tok": width, "map": width + 4 * width * (width + 1) + 2 * width}[head]
    if head == "map":
        pool += _mlp_params(width, model.mlp_dim)
    classifier = num_classes * (width + 1) + (pre_logits == "tanh") * width * (width + 1)
    body = body_params(model, image_size=image_size, channels=channels, positions=positions)
    return body + pool + classifier


@lru_cache(maxsize=1024)
def flops_per_image(
    model: ModelSpec,
    *,
    head: Head,
    image_size: int,
    channels: int,
    num_classes: int,
    pre_logits: PreLogits = "none",
) -> int:
    """The FLOPs of the forward pass of one image."""
    if model.is_own:
        sides = {"image_size": image_size, "channels": channels, "num_classes": num_classes}
        return _counts(model, sides, head=head, pre_logits=pre_logits).flops
    width, patches = model.width, tokens(model, image_size)
    rows = patches + (head == "tok")
    embedding = 2 * patches * channels * model.patch_size**2 * width + 2 * patches * width  # bias, position
    norm = rows * (7 * width + 4)
    classifier = 2 * width * num_classes + num_classes + (pre_logits == "tanh") * (2 * width**2 + width)
    return embedding + model.depth * _block_flops(model, rows) + norm + _pool_flops(model, head, rows) + classifier


def _counts(model: ModelSpec, sides: Mapping[str, Any], **recipe: Any) -> "Counts":
    """The counts of a model of one's own, by tracing it; raises own_model.NoModel."""
    from scalectl.trainer.own_model import Net, counts  # which imports JAX, and planning does without it elsewhere

    return counts(Net(model, **sides, **recipe))


def _block_flops(model: ModelSpec, rows: int) -> int:
    width, mlp = model.width, model.mlp_dim
    products = 2 * rows * (4 * width**2 + 2 * width * mlp) + 4 * rows**2 * width
    norms, biases, residuals, scaling = 2 * rows * (7 * width + 4), 5 * rows * width, 2 * rows * width, rows * width
    return products + norms + biases + residuals + scaling + _softmax_flops(model, rows, rows) + 9 * rows * mlp


def _pool_flops(model: ModelSpec, head: Head, rows: int) -> int:
    width, mlp = model.width, model.mlp_dim
    if head == "tok":
        return 0
    if head == "gap":
        return rows * width
    products = 4 * width**2 + 4 * rows * width**2 + 4 * rows * width + 4 * width * mlp
    biases, norm, residuals = 2 * rows * width + 3 * width, 7 * width + 4, 2 * width
    return products + biases + norm + residuals + _softmax_flops(model, 1, rows) + 9 * mlp


def _softmax_flops(model: ModelSpec, queries: int, keys: int) -> int:
    return model.num_heads * queries * (4 * keys - 1)


def _mlp_params(width: int, mlp: int) -> int:
    return 2 * width * mlp + mlp + width


def forward_flops(trunk: TrunkSpec) -> int:
    """The FLOPs of the forward pass of one image of a trunk's data."""
    data, recipe = trunk.data, trunk.recipe
    sides = {"image_size": data.image_size, "channels": data.channels, "num_classes": data.num_classes}
    return flops_per_image(trunk.model, head=recipe.head, pre_logits=recipe.pre_logits, **sides)


def training_flops(trunk: TrunkSpec, steps: int) -> int:
    """The FLOPs of `steps` optimizer steps: three forward passes for every image of their batches."""
    return TRAINING * forward_flops(trunk) * trunk.recipe.batch_size * steps


def steps_for_flops(trunk: TrunkSpec, flops: float) -> int:
    """The most whole steps whose training FLOPs don't exceed `flops`."""
    return int(flops) // training_flops(trunk, 1)


def steps_for_images(trunk: TrunkSpec, images: float) -> int:
    """The most whole steps that see no more than `images` images, repeats counted."""
    return int(images) // trunk.recipe.batch_size


def dispatch(flops: float) -> int:
    """How many steps of so many FLOPs go into one dispatch."""
    return min(MAX_STEPS, max(1, round(DISPATCH_FLOPS / flops)))
