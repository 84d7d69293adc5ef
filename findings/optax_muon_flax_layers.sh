#!/bin/sh
# Optax's Muon and Flax: Muon takes each array of two dimensions, as it says, and leaves the others to Adam. But Flax's attention keeps
# its kernels as (width, heads, head) and its biases as (heads, head), so that Muon leaves the kernels out and orthogonalises the biases
# of query, key and value. With nn.scan over layers, which puts a dimension in front, Muon gets biases and the scales and biases of
# LayerNorm, across layers, and not one matrix of the network. Adam then takes the matrices with Muon's learning rate. Nothing is
# said; muon_weight_dimension_numbers mends it. Shown with optax 0.2.8, flax 0.12.8, jax 0.10.2 and NumPy 2.4.6 from PyPI.
# Exit 0: it is as described. 1: Muon takes other arrays now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check optax==0.2.8 flax==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import sys

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

WIDTH = 64


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        x = x + nn.MultiHeadDotProductAttention(num_heads=4, name="attention")(nn.LayerNorm(name="norm")(x))
        return x + nn.Dense(WIDTH, name="down")(nn.gelu(nn.Dense(4 * WIDTH, name="up")(x))), None


blocks = {
    "one layer": Block(),
    "two layers by nn.scan": nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=2)(),
}


def named(tree):
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


print("optax", optax.__version__, "flax", flax.__version__, "jax", jax.__version__)
taken = {}
for kind, block in blocks.items():
    params = jax.eval_shape(block.init, jax.random.key(0), jnp.ones((1, 8, WIDTH)), None)["params"]
    state = jax.eval_shape(optax.contrib.muon(0.02).init, params)
    momentum = named(state.inner_states["muon"].inner_state[0].mu)
    for name, leaf in named(params).items():
        print(f"{kind}: {name} {leaf.shape}: {'Muon' if name in momentum else 'Adam'}")
    taken[kind] = set(momentum)
biases = {f"attention/{part}/bias" for part in ("query", "key", "value")}
stacked = {"norm/scale", "norm/bias", "attention/out/bias", "up/bias", "down/bias"}
sys.exit(taken != {"one layer": biases | {"up/kernel", "down/kernel"}, "two layers by nn.scan": stacked})
PYTHON
