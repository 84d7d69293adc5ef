"""Which models are divided over several devices, and which dimensions of their arrays over the grid of these (FSDP)."""

import math
from collections.abc import Sequence

from scalectl.trainer.counting import counted

AXES = ("outer", "inner")
SMALL = 2**16  # elements; an array with fewer is whole on every device
# Parameters; a model with fewer is whole on every device, with its moments. Then a step sums gradients once, where each
# device would else ask the others for parameters, forwards and backwards. At most that takes 0.9 GiB.
WHOLE = 2**26


def grid(count: int) -> tuple[int, int]:
    """The two factors of a count that are nearest to each other, the smaller one first."""
    smaller = next(factor for factor in range(math.isqrt(count), 0, -1) if count % factor == 0)
    return smaller, count // smaller


def divided(shape: Sequence[int], axes: tuple[int, int]) -> list[tuple[str, ...]]:
    """The axes of the grid that divide each dimension: both the largest that all devices divide.

    Where there is none, each axis of the grid divides the largest dimension that it can: 1664 x 1664 on 16 x 16.
    """
    parts: list[tuple[str, ...]] = [()] * len(shape)
    if math.prod(shape) < SMALL:
        return parts
    left, every = list(shape), math.prod(axes)
    together: list[tuple[tuple[str, ...], int]] = [(AXES, every)]
    each: list[tuple[tuple[str, ...], int]] = [((name,), count) for name, count in zip(AXES, axes, strict=True)]
    for names, count in together if any(side % every == 0 for side in shape) else each:
        divisible = [place for place, side in enumerate(left) if side % count == 0]
        if divisible:
            place = max(divisible, key=left.__getitem__)
            parts[place] += names
            left[place] //= count
    return parts


def share(shape: Sequence[int], devices: int) -> float:
    """The elements of an array that each of `devices` holds."""
    axes = grid(devices)
    count = math.prod(axes[AXES.index(name)] for names in divided(shape, axes) for name in names)
    return math.prod(shape) / count


def unshared(devices: int, *sizes: int) -> list[str]:
    """A sentence for each of these batches that devices can't share evenly."""
    advice = f"can't be shared by {devices} devices: give a multiple of {devices}"
    return [f"{counted(size, 'image')} {advice}" for size in sizes if size % devices]
