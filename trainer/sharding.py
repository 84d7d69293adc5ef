"""How arrays lie on devices: batches divided over all of them, and large models too (FSDP)."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from scalectl.trainer.division import AXES, WHOLE, divided, grid, unshared

KINDS = (AxisType.Auto, AxisType.Auto)  # XLA chooses how what is computed between is divided


@dataclass(frozen=True)
class Layout:
    """Some devices, those of a process side by side, and what each holds; one device alone holds everything."""

    devices: tuple[Any, ...]
    whole_below: int = WHOLE  # parameters; a model with fewer is whole on each device, as are its moments

    @cached_property
    def mesh(self) -> Mesh:
        """The devices as a grid; both of its axes together divide the batch."""
        return Mesh(np.array(self.devices).reshape(grid(len(self.devices))), AXES, KINDS)

    @property
    def alone(self) -> bool:
        """Whether there is one device, for which nothing is divided and no program changes."""
        return len(self.devices) == 1

    @property
    def whole(self) -> NamedSharding:
        """The sharding of what every device holds."""
        return NamedSharding(self.mesh, PartitionSpec())

    def batch(self, *before: None) -> NamedSharding:
        """The sharding of a batch, or of stacked ones, with None for each dimension before the images."""
        return NamedSharding(self.mesh, PartitionSpec(*before, AXES))

    def traced(self) -> AbstractContextManager[Any]:
        """The context in which a program for these devices is traced, so that `by_image` knows their grid."""
        if self.alone:
            return nullcontext()
        return jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh)

    def state(self, tree: Any) -> Any:
        """The sharding of each array of a tree: parameters, or a state with them and their moments."""
        params = jax.tree.leaves(getattr(tree, "params", tree))
        if sum(math.prod(leaf.shape) for leaf in params) < self.whole_below:
            return jax.tree.map(lambda _: self.whole, tree)
        axes = grid(len(self.devices))
        return jax.tree.map(lambda leaf: NamedSharding(self.mesh, cut(leaf.shape, axes)), tree)

    def rows(self, size: int) -> slice:
        """Which images of a batch are this process's; raises ValueError where devices can't share it evenly."""
        count = len(self.devices)
        if problems := unshared(count, size):
            raise ValueError(problems[0])
        mine = [place for place, device in enumerate(self.devices) if device.process_index == jax.process_index()]
        return slice(mine[0] * size // count, (mine[-1] + 1) * size // count)

    def put(self, state: Any) -> Any:
        """A state whose NumPy arrays are on the devices; every process has to have the same."""
        if self.alone:
            return jax.device_put(state)
        return jax.tree.map(_put, state, self.state(state))

    def fed(self, rows: np.ndarray, *before: None) -> Any:
        """A batch on the devices, or stacked ones, given this process's rows of it."""
        return rows if self.alone else jax.make_array_from_process_local_data(self.batch(*before), rows)


@cache
def everywhere() -> Layout:
    """The layout over all accelerators of all processes, or one CPU device of each: XLA_FLAGS may pretend more."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    if devices[0].platform == "cpu":
        devices = [next(group) for _, group in groupby(devices, key=lambda device: device.process_index)]
    return Layout(tuple(devices))


def cut(shape: Sequence[int], axes: tuple[int, int]) -> PartitionSpec:
    """How an array is divided over a grid of devices."""
    return PartitionSpec(*(names or None for names in divided(shape, axes)))


def by_image(rows: jax.Array) -> jax.Array:
    """The same array, whose first dimension counts images or their tokens, divided over all devices along it.

    Without this XLA may divide activations as parameters are divided, whose two axes of the grid can lie on two
    dimensions: then each device holds a part of every image of the batch.
    """
    if jax.sharding.get_abstract_mesh().empty:
        return rows
    return jax.lax.with_sharding_constraint(rows, PartitionSpec(AXES))


def _put(leaf: Any, where: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array):
        return jax.device_put(leaf, where)
    return jax.make_array_from_callback(np.shape(leaf), where, lambda index: np.asarray(leaf)[index])


def gathered(tree: Any) -> Any:
    """A tree of arrays in the memory of this process, wherever their parts are; all processes have to ask."""
    return jax.tree.map(_gathered, tree)


def _gathered(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))
    return np.asarray(leaf)
