"""Random words that depend on nothing but what they are for: the same on every machine, process and restart."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What words are drawn for; each has a stream of its own."""

    SPLIT = 0
    ORDER = 1
    SHIFT = 2
    SHOTS = 3
    FINETUNE = 7


def words(seed: int, purpose: Purpose, index: int, count: int) -> np.ndarray:
    """Return `count` uniform 64-bit words, number `index` of the streams of a seed and a purpose.

    NumPy promises the words of a bit generator for ever, but not what its Generator makes of them.
    """
    return np.random.Philox(key=(seed, purpose), counter=(0, 0, 0, index)).random_raw(count)


def endless(seed: int, purpose: Purpose, places: np.ndarray, size: int) -> np.ndarray:
    """Return the items at `places` of an endless row of epochs of 0 to size - 1, each in an order of its own."""
    epochs = places // size
    orders = {int(epoch): permutation(seed, purpose, int(epoch), size) for epoch in np.unique(epochs)}
    return np.concatenate([order[places[epochs == epoch] % size] for epoch, order in orders.items()])


def permutation(seed: int, purpose: Purpose, index: int, count: int) -> np.ndarray:
    """Return a permutation of 0 to count - 1."""
    return np.argsort(words(seed, purpose, index, count), kind="stable")
