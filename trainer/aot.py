"""What a training step needs on devices that aren't here, as the TPU's own compiler says where it is installed.

The extra `aot` brings libtpu, which compiles for a slice of TPUs on a machine without any.
"""

import math
import os
import re
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh

from scalectl.trainer.optimizer import settings
from scalectl.trainer.sharding import AXES, KINDS, Layout, grid
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.step import Shape, abstract, several_steps, shape

GIB = 2**30
CHIP_GIB = {"v4": 32, "v5e": 16, "v5p": 95, "v6e": 32}  # of high-bandwidth memory, as Google Cloud's pages on each say
POD_CHIPS = 8960  # of the largest pod, of v5p, as its page says
EFFORT = {"exec_time_optimization_effort": -1.0}  # compiles in a third of the time; nothing compiled here ever runs
ALONE = {  # libtpu would else ask the network which machine this is, and lock every other process out
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
}
REFUSAL = re.compile(r"HLO temporaries \(([\d.]+)([KMG])\) exceeds available HBM \(([\d.]+)([KMG])\)")  # libtpu 0.0.42


@dataclass(frozen=True)
class Memory:
    """Bytes that training needs on each device of a topology; without the TPU's compiler only `arguments` are known."""

    topology: str
    devices: int
    arguments: int  # the device's part of the state, and of the batches of one dispatch
    outputs: int | None  # that don't take the place of an argument
    temporaries: int | None
    needed: int  # all together, the program included
    limit: int  # what a device has
    compiled: bool
    seconds: float  # that the answer took

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against it: without the compiler that is only that the arguments have room."""
        return self.needed <= self.limit


class Unknown(ValueError):  # noqa: N818 - a fact about what was typed
    """A topology that does not exist."""


@dataclass(frozen=True)
class Imagined(Layout):
    """A layout over devices of which nothing is known but how many they are."""

    @cached_property
    def mesh(self) -> Any:
        """Their grid."""
        return AbstractMesh(grid(len(self.devices)), AXES, KINDS)


def memory(trunk: TrunkSpec, topology: str) -> Memory:
    """What a trunk's training step needs on a slice such as v5e:16x16, compiled for it where libtpu is there.

    Raises Unknown for what is not a topology, and ValueError where its devices can't share a batch.
    """
    began = time.perf_counter()
    chip, count = parsed(topology)
    limit, here = CHIP_GIB[chip] * GIB, compiler_here()
    lay = Layout(slice_of(topology)) if here else Imagined(tuple(range(count)))
    program = parted(shape(trunk), len(lay.devices))
    given = arguments(program, lay)
    bytes_given = sum(map(on_each, jax.tree.leaves(given)))
    lowered = lower(program, lay, given, trunk)
    needs = Memory(topology, len(lay.devices), bytes_given, None, None, bytes_given, limit, here, 0.0)
    if here:
        needs = _compiled(lowered, needs)
    return replace(needs, seconds=time.perf_counter() - began)


def compiler_here() -> bool:
    """Whether the TPU's compiler is installed."""
    return find_spec("libtpu") is not None


def parsed(topology: str) -> tuple[str, int]:
    """The chip and the number of chips of a topology such as v5e:4x4; raises Unknown."""
    chip, _, sides = topology.partition(":")
    if chip not in CHIP_GIB or not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)+", sides):
        raise Unknown(f"{topology!r} is not a topology: give one such as v5e:4x4, of {', '.join(CHIP_GIB)}")
    count = math.prod(map(int, sides.split("x")))
    if count > POD_CHIPS:
        raise Unknown(f"{topology!r} is not a topology: the largest pod has {POD_CHIPS:,} chips")
    return chip, count


def slice_of(topology: str) -> tuple[Any, ...]:
    """The devices of a topology as libtpu knows them; raises Unknown for one that isn't made."""
    from jax.experimental.topologies import get_topology_desc

    for name, value in ALONE.items():
        os.environ.setdefault(name, value)
    options = {}
    if topology.startswith("v4"):
        options = {"chip_config_name": "megacore"}  # a chip is one device, as on a v4 host
    try:
        return tuple(get_topology_desc(topology_name=topology, platform="tpu", **options).devices)
    except jax.errors.JaxRuntimeError as error:
        raise Unknown(f"libtpu has no topology {topology}: {str(error).splitlines()[0]}") from error


def parted(shape: Shape, count: int) -> Shape:
    """A shape whose batches `count` devices share; raises ValueError where they can't."""
    for size in (shape.batch_size, shape.microbatch):
        if size % count:
            raise ValueError(f"{size} images can't be shared by {count} devices: give a multiple of {count}")
    return replace(shape, parts=count)


def arguments(shape: Shape, lay: Layout) -> tuple[Any, ...]:
    """A state and stacked batches as shapes, types and shardings."""

    def placed(leaf: Any, where: Any) -> Any:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    state, batch = abstract(shape), lay.batch(None)
    images = jax.ShapeDtypeStruct((shape.steps, *shape.images), jnp.float32, sharding=batch)
    labels = jax.ShapeDtypeStruct((shape.steps, shape.batch_size), jnp.int32, sharding=batch)
    return jax.tree.map(placed, state, lay.state(state)), images, labels


def on_each(leaf: Any) -> int:
    """The bytes of an array that each device holds."""
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize


def lower(shape: Shape, lay: Layout, given: tuple[Any, ...], trunk: TrunkSpec) -> Any:
    """The training program, lowered for TPUs."""
    state, images, labels = given
    out = (lay.state(state), lay.whole)
    program = jax.jit(partial(several_steps, shape), donate_argnums=(0,), out_shardings=out)
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=lay.whole)
    numbers = jax.tree.map(
        lambda number: jax.ShapeDtypeStruct((), number.dtype, sharding=lay.whole), settings(trunk.recipe, None)
    )
    return program.trace(state, count, images, labels, numbers).lower(lowering_platforms=("tpu",))


def _compiled(lowered: Any, known: Memory) -> Memory:
    try:
        analysis = lowered.compile(compiler_options=EFFORT).memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        return refused(str(error), known)
    outputs = analysis.output_size_in_bytes - analysis.alias_size_in_bytes
    parts = (analysis.argument_size_in_bytes, outputs, analysis.temp_size_in_bytes)
    return replace(
        known,
        arguments=parts[0],
        outputs=outputs,
        temporaries=parts[2],
        needed=sum(parts) + analysis.generated_code_size_in_bytes,
    )


def refused(message: str, known: Memory) -> Memory:
    """What the compiler's message of an exhausted memory says; raises RuntimeError for any other message."""
    match = REFUSAL.search(message)
    if match is None:
        raise RuntimeError(message)
    temporaries, limit = (_bytes(*match.groups()[start : start + 2]) for start in (0, 2))
    return replace(known, temporaries=temporaries, needed=known.arguments + temporaries, limit=limit)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * {"K": 2**10, "M": 2**20, "G": GIB}[unit])
