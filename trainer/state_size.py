"""The bytes of a trunk's state and of its batches on each of several devices, counted without building a model."""

import math
from collections.abc import Iterator, Sequence

from scalectl.trainer import own
from scalectl.trainer.division import WHOLE, share
from scalectl.trainer.flops import tokens
from scalectl.trainer.spec import TrunkSpec

Sides = tuple[int, ...]
FACTORED = 32  # Adafactor factors the second moment of matrices whose sides are at least so long


def shapes(trunk: TrunkSpec) -> Iterator[tuple[Sides, int]]:
    """Yield the shape of each parameter of a model, and how many there are of it."""
    if trunk.model.is_own:
        from scalectl.trainer.own_model import counts, net  # which imports JAX, and planning does without it elsewhere

        yield from ((sides, 1) for sides in counts(net(trunk)).shapes)
        return
    model, data, head = trunk.model, trunk.data, trunk.recipe.head
    width, mlp = model.width, model.mlp_dim
    blocks = model.depth + (head == "map")  # the pooling has a block's MLP, its output and one of its norms
    yield (model.patch_size**2 * data.channels, width), 1
    if trunk.recipe.positions == "learned":
        yield (tokens(model, data.image_size), width), 1
    yield (width, 3 * width), model.depth
    yield (3 * width,), model.depth
    yield (width, width), blocks
    yield (width, mlp), blocks
    yield (mlp, width), blocks
    yield (mlp,), blocks
    yield (width,), 6 * model.depth + 3  # norms and biases; embedding and last norm
    if head == "map":
        yield (width, width), 1
        yield (width, 2 * width), 1
        yield (width,), 8
    if head == "tok":
        yield (width,), 1
    if trunk.recipe.pre_logits == "tanh":
        yield (width, width), 1
        yield (width,), 1
    yield (width, data.num_classes), 1
    yield (data.num_classes,), 1


def is_factored(sides: Sequence[int]) -> bool:
    """Whether Adafactor factors the second moment of an array: over its two longest sides, where these are long."""
    return len(sides) > 1 and sorted(sides)[-2] >= FACTORED


def count(trunk: TrunkSpec) -> int:
    """The parameters of a model."""
    return sum(number * math.prod(sides) for sides, number in shapes(trunk))


def held(trunk: TrunkSpec, devices: int) -> float:
    """The parameters that each device holds."""
    parts = parts_of(trunk, devices)
    return sum(number * share(sides, parts) for sides, number in shapes(trunk))


def parts_of(trunk: TrunkSpec, devices: int) -> int:
    """The devices that a state is divided over: all of them, or one where each has all of a small model."""
    if count(trunk) < WHOLE:
        return 1
    return devices


def blocks(trunk: TrunkSpec, devices: int) -> float:
    """The parameters of the matrices of all blocks that each device holds; none are known of a model of one's own."""
    if trunk.model.is_own:
        return 0.0
    width, mlp, parts = trunk.model.width, trunk.model.mlp_dim, parts_of(trunk, devices)
    sides = ((width, 3 * width), (width, width), (width, mlp), (mlp, width))
    return trunk.model.depth * sum(share(shape, parts) for shape in sides)


def gathered(trunk: TrunkSpec) -> float:
    """The bytes at 32 bits of the matrices of one block, and of the classifier's."""
    model = trunk.model
    block = 4 * model.width**2 + 2 * model.width * model.mlp_dim
    return 4.0 * (block + model.width * trunk.data.num_classes)


def arguments(trunk: TrunkSpec, devices: int, steps: int = 1) -> float:
    """The bytes on each device of parameters, moments, and the batches of a dispatch."""
    parts = parts_of(trunk, devices)
    if own.version(trunk.recipe.optimizer):
        state = _traced(trunk, parts)
    else:
        state = sum(number * _held(sides, trunk.recipe.optimizer, parts) for sides, number in shapes(trunk))
    data = trunk.data
    image = 4 * data.image_size**2 * data.channels + 4
    return state + steps * trunk.recipe.batch_size / devices * image


def _traced(trunk: TrunkSpec, parts: int) -> float:
    """The bytes on each device of a state whose optimizer is one's own."""
    from scalectl.trainer.optimizer import moments  # which imports JAX, and planning does without it elsewhere

    params = [sides for sides, number in shapes(trunk) for _ in range(number)]
    held = sum(4 * share(sides, parts) for sides in params)
    return held + sum(size * share(sides, parts) for sides, size in moments(trunk.recipe.optimizer, params))


def _held(sides: Sides, optimizer: str, devices: int) -> float:
    """The bytes of a parameter at 32 bits, its first moment at 16, and its second at 32, which Adafactor factors."""
    whole = share(sides, devices)
    if optimizer == "adafactor" and is_factored(sides):
        *_, second, longest = sorted(sides)
        rest = math.prod(sides) // (second * longest)
        return 6 * whole + 4 * sum(share((rest * side,), devices) for side in (second, longest))
    return 10 * whole
