"""The arrays of a small model side by side in a few: each array more is more to compile, and more to start.

Matrices of one shape are stacked, so that Adafactor factors the second moment of each; all else is one long array.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier

from scalectl.trainer.state_size import FACTORED, is_factored

SMALL = 2**20  # parameters of a model up to which this is worth its copies, which stay in the caches of a core
REST = "rest"


def places(params: Any) -> dict[str, list[int]]:
    """The groups, and which of the parameters are in each; none where the model is not small."""
    leaves = jax.tree.leaves(params)
    if sum(math.prod(leaf.shape) for leaf in leaves) > SMALL:
        return {}
    found: dict[str, list[int]] = {}
    counts: Counter[tuple[int, ...]] = Counter()
    for place, leaf in enumerate(leaves):
        name = REST
        if is_factored(leaf.shape):
            # no stack is higher than a matrix: Optax factors the two longest sides
            name = f"{' x '.join(map(str, leaf.shape))} {counts[leaf.shape] // FACTORED}"
            counts[leaf.shape] += 1
        found.setdefault(name, []).append(place)
    return found


def grouped(tree: Any, params: Any) -> Any:
    """An array for each group, of a tree that has one for each parameter; the same tree where there are no groups."""
    found, leaves, likes = places(params), jax.tree.leaves(tree), jax.tree.leaves(params)
    if not found:
        return tree
    joined = {}
    for name, members in found.items():
        joined[name] = _joined([leaves[i] for i in members], [likes[i] for i in members], name != REST)
    return _computed(joined)


def ungrouped(groups: Any, params: Any) -> Any:
    """The tree that was grouped."""
    found, likes = places(params), jax.tree.leaves(params)
    if not found:
        return groups
    leaves = list(likes)
    for name, array in _computed(groups).items():
        parts = _parted(array, [likes[i] for i in found[name]], name != REST)
        for place, part in zip(found[name], parts, strict=True):
            leaves[place] = part
    return jax.tree.unflatten(jax.tree.structure(params), leaves)


def training(state: Any) -> Any:
    """A state as it trains, of one at rest: each tree of moments that has an array for each parameter is in groups."""
    structure: Any = jax.tree.structure(state.params)

    def whole(part: Any) -> bool:
        return bool(jax.tree.structure(part) == structure)

    return _moments(state, whole, grouped)


def resting(state: Any) -> Any:
    """A state at rest, of one as it trains."""
    names = places(state.params).keys()

    def whole(part: Any) -> bool:
        return isinstance(part, dict) and part.keys() == names

    return _moments(state, whole, ungrouped)


def _moments(state: Any, whole: Callable[[Any], bool], moved: Callable[[Any, Any], Any]) -> Any:
    def other(part: Any) -> Any:
        return moved(part, state.params) if whole(part) else part

    return state._replace(moments=jax.tree.map(other, state.moments, is_leaf=whole))


def _joined(leaves: list[Any], likes: list[Any], stacked: bool) -> Any:
    if _lacking(leaves, likes):
        return leaves[0]
    numbers: Any = np if isinstance(leaves[0], np.ndarray) else jnp
    return numbers.stack(leaves) if stacked else numbers.concatenate([leaf.ravel() for leaf in leaves])


def _parted(array: Any, likes: list[Any], stacked: bool) -> list[Any]:
    if stacked:
        return [array] * len(likes) if array.shape == (1,) else [array[i] for i in range(len(likes))]
    ends = np.cumsum([math.prod(like.shape) for like in likes]).tolist()
    if array.shape != (ends[-1],):
        return [array] * len(likes)
    begins = [0, *ends[:-1]]
    return [array[a:b].reshape(like.shape) for a, b, like in zip(begins, ends, likes, strict=True)]


def _lacking(leaves: list[Any], likes: list[Any]) -> bool:
    """Whether these are what Optax has where an array has no such moment: a single zero."""
    return all(leaf.shape == (1,) for leaf in leaves) and any(like.shape != (1,) for like in likes)


def _computed(groups: dict[str, Any]) -> dict[str, Any]:
    """The groups, and in a program not computed anew for each array that is cut out of them."""
    if all(isinstance(array, np.ndarray) for array in groups.values()):
        return groups
    whole: dict[str, Any] = optimization_barrier(groups)
    return whole
