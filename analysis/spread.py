"""Some of many runs that stand for all of them."""

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.law import Floats


def spread(places_N3: Floats, most: int) -> NDArray[np.int64]:
    """The rows of at most so many runs, in their order: as many of each place, or else of places evenly apart.

    Which of a place is drawn: runs come sorted by their error, and the first would be the best by luck.
    """
    count = len(places_N3)
    if count <= most:
        return np.arange(count)
    place_N = np.unique(places_N3, axis=0, return_inverse=True)[1]
    drawn_N = np.random.default_rng(0).permutation(count)
    order_N = drawn_N[np.argsort(place_N[drawn_N], kind="stable")]
    sorted_N = place_N[order_N]
    round_N = np.arange(count) - np.searchsorted(sorted_N, sorted_N)  # runs of the same place before each
    by_round_N = order_N[np.lexsort((sorted_N, round_N))]
    places = int(place_N.max()) + 1
    if places >= most:
        by_round_N = by_round_N[np.linspace(0, places - 1, most).round().astype(int)]
    return np.sort(by_round_N[:most])
