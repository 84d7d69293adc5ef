"""Images as bytes, on their way to the device, which does the rest: a quarter of the bytes of float32."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Colours(NamedTuple):
    """A batch of images as bytes, and what a step is to do with each before it sees it; None where it does nothing."""

    pixels: Any  # (count, height, width, channels)
    boxes: Any = None  # (count, 4): left, top, right, bottom of the part that is resized to the model's square
    shifts: Any = None  # (count, 2): pixels down and right
    mirrored: Any = None  # (count): left to right


def stacked(batches: Sequence[Any]) -> Any:
    """Batches of one form, arrays or Colours, as one with their number before all other dimensions."""
    first = batches[0]
    if isinstance(first, Colours):
        return Colours(*(None if parts[0] is None else stacked(parts) for parts in zip(*batches, strict=True)))
    if len(batches) == 1:
        return first[None]  # no copy
    return np.stack(batches)
