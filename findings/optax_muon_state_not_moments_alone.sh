#!/bin/sh
# Optax: the state of Muon isn't made of moments alone. It holds the coefficients of its Newton-Schulz iteration, an array
# of float32 as any other. Who makes a state of zeros from its shapes, as is usual where a state is restored or sharded
# before it is filled, and as is right for Adam, Adafactor, Lion and SGD, gets a Muon whose updates are all exactly 0:
# parameters stay as they are, and nothing is raised. A state that is cast to bfloat16 rounds the coefficients as well.
# Shown with optax 0.2.8, jax 0.10.2 and NumPy 2.4.6 from PyPI.
# Exit 0: it is as described. 1: Muon's update from a state of zeros isn't zero, or another optimizer's is.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import jax.numpy as jnp
import optax

params = {"kernel": jnp.ones((8, 4))}
grads = {"kernel": jax.random.normal(jax.random.key(0), (8, 4))}
ways = {
    "adam": optax.scale_by_adam(),
    "adafactor": optax.scale_by_factored_rms(),
    "lion": optax.scale_by_lion(),
    "sgd": optax.trace(0.9),
    "muon": optax.contrib.muon(1.0),
}


def largest(updates) -> float:
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(updates))


print("optax", optax.__version__, "jax", jax.__version__)
right = True
for name, optimizer in ways.items():
    first = optimizer.init(params)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(optimizer.init, params))
    own, made = (largest(optimizer.update(grads, state, params)[0]) for state in (first, zeros))
    print(f"{name}: largest update {own:.3g} from init, {made:.3g} from zeros")
    right &= own > 0 and (made == 0) == (name == "muon")
coefficients = [leaf for leaf in jax.tree.leaves(ways["muon"].init(params)) if leaf.dtype == jnp.float32 and leaf.ndim == 1]
print("an array in the state of muon:", *coefficients)
sys.exit(not right)
PYTHON
