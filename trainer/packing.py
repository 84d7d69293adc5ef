"""Small arrays as one long array of each type: a checkpoint of them costs as much as the number of its arrays."""

from typing import Any

import jax
import numpy as np

SMALL = 2**24  # bytes of a tree up to which it is packed; the copy that packing makes is nothing then


def small(tree: Any) -> bool:
    """Whether a tree of arrays is to be packed."""
    return sum(leaf.size * np.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(tree)) <= SMALL


def packed(tree: Any) -> dict[str, np.ndarray]:
    """The numbers of all arrays of a type, in the order of the tree, by the name of the type."""
    parts: dict[str, list[np.ndarray]] = {}
    for leaf in jax.tree.leaves(tree):
        parts.setdefault(np.dtype(leaf.dtype).name, []).append(np.ravel(np.asarray(leaf)))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def lengths(like: Any) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes and types of what `packed` makes of a tree like this."""
    counts: dict[Any, int] = {}
    for leaf in jax.tree.leaves(like):
        counts[np.dtype(leaf.dtype)] = counts.get(np.dtype(leaf.dtype), 0) + leaf.size
    return {dtype.name: jax.ShapeDtypeStruct((count,), dtype) for dtype, count in counts.items()}


def unpacked(arrays: dict[str, np.ndarray], like: Any) -> Any:
    """The tree that was packed, given its shapes and types; raises ValueError where the arrays are of another one."""
    expected = {name: array.shape for name, array in lengths(like).items()}
    if {name: array.shape for name, array in arrays.items()} != expected:
        raise ValueError("its arrays are of another model")
    begun = dict.fromkeys(arrays, 0)

    def taken(leaf: Any) -> np.ndarray:
        name = np.dtype(leaf.dtype).name
        begun[name] += leaf.size
        return arrays[name][begun[name] - leaf.size : begun[name]].reshape(leaf.shape)

    return jax.tree.map(taken, like)
