"""Random words that depend on nothing but what they are for: the same on every machine, process and restart."""

from enum import IntEnum
from functools import lru_cache

import numpy as np


class Purpose(IntEnum):
    """What words are drawn for; each has a stream of its own."""

    SPLIT = 0
    ORDER = 1
    SHIFT = 2
    SHOTS = 3
    CLASS = 4
    LABEL = 5
    IMAGE = 6
    STRATUM = 7
    CROP = 8
    FLIP = 9
    FINETUNE = 10


def words(seed: int, purpose: Purpose, index: int, count: int) -> np.ndarray:
    """`count` uniform 64-bit words, number `index` of the streams of a seed and a purpose.

    NumPy promises the words of a bit generator for ever, but not what its Generator makes of them.
    """
    return np.random.Philox(key=(seed, purpose), counter=(0, 0, 0, index)).random_raw(count)


def endless(seed: int, purpose: Purpose, places: np.ndarray, size: int) -> np.ndarray:
    """The items at `places` of an endless row of epochs of 0 to size - 1, each in an order of its own."""
    epochs = places // size
    orders = {int(epoch): _epoch(seed, purpose, int(epoch), size) for epoch in np.unique(epochs)}
    return np.concatenate([order[places[epochs == epoch] % size] for epoch, order in orders.items()])


@lru_cache(maxsize=4)
def _epoch(seed: int, purpose: Purpose, epoch: int, size: int) -> np.ndarray:
    return permutation(seed, purpose, epoch, size)


def permutation(seed: int, purpose: Purpose, index: int, count: int) -> np.ndarray:
    """A permutation of 0 to count - 1."""
    return np.argsort(words(seed, purpose, index, count), kind="stable")


def units(drawn: np.ndarray) -> np.ndarray:
    """Words as numbers from 0 up to, and without, 1."""
    return (drawn >> np.uint64(11)) * 2.0**-53


def scattered(seed: int, purpose: Purpose, index: int, count: int, places: np.ndarray) -> np.ndarray:
    """Where a permutation of 0 to count - 1 takes `places`, without holding the rest of it.

    A Feistel network on the least even number of bits that hold `count`, walked until it falls below `count`.
    """
    half = np.uint64(max(1, -(-(count - 1).bit_length() // 2)))
    keys = words(seed, purpose, index, 6)
    values = places.astype(np.uint64)
    outside = np.arange(len(values))
    while len(outside):
        values[outside] = _feistel(values[outside], keys, half)
        outside = outside[values[outside] >= count]
    return values.astype(np.int64)


def _feistel(values: np.ndarray, keys: np.ndarray, half: np.uint64) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half) | right


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: every bit of a word depends on all bits of the one that went in."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
