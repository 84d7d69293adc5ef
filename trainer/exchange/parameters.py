"""The parameters of a model by name, each taken once, so that no layout leaves any of them out unseen."""

from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from scalectl.trainer import own
from scalectl.trainer.positions import sincos2d
from scalectl.trainer.spec import TrunkSpec

POOLINGS = ("map", "gap", "tok")  # that other libraries have as well


class Unwritable(ValueError):  # noqa: N818 - a fact about a model
    """A model that a layout can't hold; the message says what the layout lacks, or what the model does."""


def named(variables: Any, separator: str) -> dict[str, np.ndarray]:
    """The arrays of a model by their paths in the tree, such as block_0.qkv.kernel."""
    flat: dict[str, np.ndarray] = flatten_dict(variables["params"], sep=separator)  # type: ignore[no-untyped-call]
    return flat


class Parameters:
    """The arrays of a model, from which a layout takes what it has a place for."""

    def __init__(self, variables: Any, trunk: TrunkSpec) -> None:
        if trunk.model.is_own:
            raise Unwritable(f"no place for architecture {own.plain(trunk.model.architecture)}")
        if trunk.recipe.head not in POOLINGS:
            raise Unwritable(f"no place for train.head: {trunk.recipe.head}")
        self.trunk = trunk
        self._left = named(variables, "/")

    def take(self, name: str) -> np.ndarray:
        """The array of a name; raises Unwritable where the model has none or it was taken before."""
        if name not in self._left:
            raise Unwritable(f"a place for {name}, which the model lacks")
        return np.asarray(self._left.pop(name))

    def dense(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The kernel (inputs, outputs) and the bias (outputs) of a layer."""
        return self.take(f"{name}/kernel"), self.take(f"{name}/bias")

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The scale and the bias of a LayerNorm."""
        return self.take(f"{name}/scale"), self.take(f"{name}/bias")

    def patches(self) -> tuple[np.ndarray, np.ndarray]:
        """The embedding of patches as a convolution (rows, columns, channels, D), and its bias (D)."""
        size, channels = self.trunk.model.patch_size, self.trunk.data.channels
        kernel, bias = self.dense("embedding")
        return kernel.reshape(size, size, channels, -1), bias

    def positions(self) -> np.ndarray:
        """The embeddings of positions (1, N, D), from left to right and top to bottom; fixed ones as a table too."""
        model, data = self.trunk.model, self.trunk.data
        if self.trunk.recipe.positions == "sincos2d":
            return sincos2d(data.image_size // model.patch_size, model.width)[None]
        return self.take("positions")[None]

    def finish(self) -> None:
        """Raise Unwritable where parameters are left that the layout has no place for."""
        if self._left:
            raise Unwritable(f"no place for the parameters {', '.join(sorted(self._left))}")
