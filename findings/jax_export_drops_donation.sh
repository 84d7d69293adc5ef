#!/bin/sh
# JAX: a step of training that donates its state no longer does so once it has been through jax.export. The exported module still marks
# which argument may become which result (tf.aliasing_output), but Exported.call, alone or within a jit, keeps the old state beside
# the new one, so that the step needs the memory of the state once more. Nothing is said. A jit around the call that donates anew
# mends it. Shown with jax 0.10.2, NumPy 2.4.6 and flatbuffers 25.12.19 from PyPI, on a CPU.
# Exit 0: it is as described. 1: the exported step takes its state over now, or no longer carries the mark.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 flatbuffers==25.12.19
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import jax.numpy as jnp
from jax import export

MIB = 2**20


def step(state, images):
    return jax.tree.map(lambda leaf: 0.9 * leaf + images.mean(), state)


state = {"params": jax.ShapeDtypeStruct((MIB,), jnp.float32), "momentum": jax.ShapeDtypeStruct((MIB,), jnp.float32)}
images = jax.ShapeDtypeStruct((8,), jnp.float32)
donating = jax.jit(step, donate_argnums=0)
exported = export.deserialize(export.export(donating)(state, images).serialize())
ways = {
    "the step itself": donating,
    "exported, called in a jit": jax.jit(exported.call),
    "exported, called in a jit that donates": jax.jit(exported.call, donate_argnums=0),
}
print("jax", jax.__version__, "marks in the exported module:", exported.mlir_module().count("tf.aliasing_output"))
needed = {}
for way, function in ways.items():
    memory = function.lower(state, images).compile().memory_analysis()
    needed[way] = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    print(f"{way}: {needed[way] / MIB:.1f} MiB of arguments and results, {memory.alias_size_in_bytes / MIB:.1f} MiB shared")


def taken(function):
    """Whether a call has taken its state over."""
    full = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), state)
    jax.block_until_ready(function(full, jnp.ones(8)))
    return all(leaf.is_deleted() for leaf in jax.tree.leaves(full))


alone = taken(exported.call)
print("exported, called alone: old state", "taken over" if alone else "kept")
own, called, donated = needed.values()
right = exported.mlir_module().count("tf.aliasing_output") == 2 and not alone and taken(donating)
sys.exit(not (right and called > 1.9 * own and donated == own))
PYTHON
