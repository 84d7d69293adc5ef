"""What a training step needs on devices that aren't here, as the TPU's own compiler says where it is installed.

The extra `aot` brings libtpu, which compiles for a slice of TPUs on a machine without any.
"""

import math
import os
import re
import time
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from scalectl.trainer.division import unshared
from scalectl.trainer.grouping import training
from scalectl.trainer.memory import GIB, Need, Verdict
from scalectl.trainer.optimizer import settings
from scalectl.trainer.sharding import Layout
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.step import Shape, abstract, several_steps, shape
from scalectl.trainer.topology import Topology

# Least effort, which compiles in a third of the time: nothing compiled here ever runs. JAX 0.10 and 0.12 have different
# words for it, and the next one may have a third.
EFFORTS: tuple[dict[str, Any], ...] = ({"exec_time_optimization_effort": -1.0}, {"optimization_level": "O0"}, {})
ALONE = {  # libtpu would else ask the network which machine this is, and lock every other process out
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
}
REFUSALS = (  # libtpu 0.0.42 and 0.0.50; what is needed has the arguments in it
    re.compile(r"HLO temporaries \(([\d.]+)([KMG])\) exceeds available HBM \(([\d.]+)([KMG])\)"),
    re.compile(r"Used ([\d.]+)([KMG]) of ([\d.]+)([KMG]) hbm"),
)


def compiled(trunk: TrunkSpec, slices: Topology) -> Need:
    """What a trunk's training step needs on a slice, compiled for it.

    Raises ValueError where its devices can't share a batch, and RuntimeError where the compiler fails.
    """
    began = time.perf_counter()
    lay = Layout(devices_of(slices))
    program = parted(shape(trunk), len(lay.devices))
    given = arguments(program, lay)
    lowered = lower(program, lay, given, trunk)
    try:
        analysis = optimised(lowered).memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        needed, limit = refused(str(error))
        return Need(Verdict.OVER, needed, limit, held(given), compiled=True, seconds=time.perf_counter() - began)
    limit, peak = round(slices.generation.gib * GIB), analysis.peak_memory_in_bytes
    seconds = time.perf_counter() - began
    return Need(Verdict.FITS, peak, limit, analysis.argument_size_in_bytes, compiled=True, seconds=seconds)


@cache
def devices_of(slices: Topology) -> tuple[Any, ...]:
    """The devices of a slice as libtpu knows them."""
    from jax.experimental.topologies import get_topology_desc

    for name, value in ALONE.items():
        os.environ.setdefault(name, value)
    # Programs for absent devices can't be loaded: out of a cache of them JAX 0.12 gets nothing but a warning.
    jax.config.update("jax_enable_compilation_cache", False)
    options: dict[str, Any] = {}
    if slices.generation.name == "v4":
        options["chip_config_name"] = "megacore"  # a chip is one device, as on a v4 host
    if slices.chips == 1:
        options["chips_per_host_bounds"] = (1, 1, 1)
    return tuple(get_topology_desc(topology_name=str(slices), platform="tpu", **options).devices)


def parted(shape: Shape, count: int) -> Shape:
    """A shape whose batches `count` devices share; raises ValueError where they can't."""
    if problems := unshared(count, shape.batch_size, shape.microbatch):
        raise ValueError(problems[0])
    own = shape.model.clone(attention="own")  # GPUs of this machine, where it has some, have no say for TPUs
    return replace(shape, parts=count, model=own)


def arguments(shape: Shape, lay: Layout) -> tuple[Any, ...]:
    """A state and stacked batches as shapes, types and shardings."""

    def placed(leaf: Any, where: Any) -> Any:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    state, batch = jax.eval_shape(training if shape.groups else lambda state: state, abstract(shape)), lay.batch(None)
    images = jax.ShapeDtypeStruct((shape.steps, *shape.images), jnp.float32, sharding=batch)
    labels = jax.ShapeDtypeStruct((shape.steps, shape.batch_size), jnp.int32, sharding=batch)
    return jax.tree.map(placed, state, lay.state(state)), images, labels


def held(given: Any) -> int:
    """The bytes of arrays that each device holds."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(given)
    )


def lower(shape: Shape, lay: Layout, given: tuple[Any, ...], trunk: TrunkSpec, platform: str = "tpu") -> Any:
    """The training program, lowered for TPUs."""
    state, images, labels = given
    out = (lay.state(state), lay.whole)
    program = jax.jit(partial(several_steps, shape), donate_argnums=(0,), out_shardings=out)
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=lay.whole)
    numbers = jax.tree.map(
        lambda number: jax.ShapeDtypeStruct((), number.dtype, sharding=lay.whole), settings(trunk.recipe, None)
    )
    with lay.traced():
        return program.trace(state, count, images, labels, numbers).lower(lowering_platforms=(platform,))


def optimised(lowered: Any) -> Any:
    """The program, compiled with the least effort that this version of JAX has a word for."""
    for effort in EFFORTS:
        try:
            return lowered.compile(compiler_options=effort)
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error) or not effort:
                raise
    raise AssertionError


def refused(message: str) -> tuple[int, int]:
    """The bytes needed and there as the compiler's message of an exhausted memory has them; else a RuntimeError."""
    for refusal in REFUSALS:
        if match := refusal.search(message):
            return _bytes(match[1], match[2]), _bytes(match[3], match[4])
    raise RuntimeError(message)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * {"K": 2**10, "M": 2**20, "G": GIB}[unit])
