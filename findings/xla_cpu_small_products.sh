#!/bin/sh
# XLA on a CPU: a batched product of small matrices that contracts the dimension before the last of both operands, as the gradients
# of attention do, takes about twice the time of copying one of them transposed and multiplying then; the results are equal. To
# write the transposition is not enough: XLA folds it back into the product, unless an optimization barrier keeps it apart. For
# larger matrices it is the other way round. Shown with jax 0.10.2 and NumPy 2.4.6 from PyPI, without other packages, on one thread.
# Exit 0: it is as described. 1: the product as it is written takes less than 1.2 times as long.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu PJRT_NPROC=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

weights, by = (np.random.default_rng(7).standard_normal((256, 16, size), np.float32) for size in (16, 12))
ways = {
    "as it is": lambda a, b: jnp.einsum("xqn,xqk->xnk", a, b),
    "with the transposition written": lambda a, b: a.swapaxes(1, 2) @ b,
    "with a barrier after it": lambda a, b: jax.lax.optimization_barrier(a.swapaxes(1, 2)) @ b,
}
programs = {way: jax.jit(function) for way, function in ways.items()}
results = {way: np.asarray(program(weights, by)) for way, program in programs.items()}
least = dict.fromkeys(programs, float("inf"))
for _ in range(15):
    for way, program in programs.items():
        began = time.process_time()
        for _ in range(100):
            jax.block_until_ready(program(weights, by))
        least[way] = min(least[way], (time.process_time() - began) / 100)
print("jax", jax.__version__, "256 products of 16 x 16 and 16 x 12")
for way, seconds in least.items():
    print(f"{way}: {1e6 * seconds:.0f} us")
ratio = least["as it is"] / least["with a barrier after it"]
equal = all(np.array_equal(result, results["as it is"]) for result in results.values())
print(f"ratio {ratio:.2f}, equal results: {equal}")
sys.exit(ratio < 1.2 or not equal)
PYTHON
