"""What images are worth that are seen again and again.

The form is that of Muennighoff et al. (arXiv 2305.16264, equation 5): each further epoch adds less than the one before,
so that U distinct images are never worth more than (1 + R) U of them. They fitted R = 15.4 for tokens of text.
"""

from collections.abc import Sequence

import numpy as np

from scalectl.analysis.law import Floats

DECAYS = (np.inf, 60.0, 25.0, 12.0, 5.0)  # R that are tried first; with infinity, an image is worth the same each time
KNOWN_EPOCHS = 4.0  # up to which it makes nearly no difference: same place, section 6


def worth(seen: Floats, distinct: Floats, decay: float) -> Floats:
    """How many images that are all new `seen` ones are worth, of which `distinct` differ, at R = `decay`."""
    if not np.isfinite(decay):
        return seen
    again = np.maximum(seen / distinct - 1, 0)
    return np.minimum(seen, distinct) * (1 + decay * -np.expm1(-again / decay))


def between(decays: Sequence[float], place: int) -> list[float]:
    """The R halfway, in logarithms, from one of some falling ones to each of its neighbours; the first is infinity."""
    if place == 0:
        return [2 * decays[1]]
    higher = decays[place - 1]
    if np.isinf(higher):
        higher = 4 * decays[place]
    neighbours = [higher, *decays[place + 1 : place + 2]]
    return [float(np.sqrt(decays[place] * neighbour)) for neighbour in neighbours]
