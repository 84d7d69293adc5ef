#!/bin/sh
# XLA on a CPU: a program of many small fusions takes 1 to 2 MB for each of them while it is compiled, so that three
# hundred products of a few numbers need half a gigabyte: nearly all are handed out before the first are lowered, and each
# that waits holds an MLIR context. Most of this is free afterwards, and stays with the process: glibc returns it only
# when malloc_trim is called. Shown with jax 0.10.2 and NumPy 2.4.6 on Linux with glibc, on one core.
# Exit 0: it is as described. 1: less than 1 MiB a fusion, or malloc_trim returns less than half of what was taken.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu JAX_ENABLE_COMPILATION_CACHE=false "$folder/venv/bin/python" - <<'PYTHON'
import ctypes
import os
import resource
import sys

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jax
import jax.numpy as jnp


def resident() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


arrays = [jax.ShapeDtypeStruct((8 + place, 16), jnp.float32) for place in range(300)]  # other shapes: none is shared
lowered = jax.jit(lambda arrays: [jnp.tanh(array) * array for array in arrays]).lower(arrays)
before = resident()
program = lowered.compile()
fusions = program.as_text().count("fusion(")
peak, after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - before, resident() - before
ctypes.CDLL(None).malloc_trim(0)
left = resident() - before
print(f"jax {jax.__version__}: {fusions} fusions, taken at the peak {peak} MiB ({peak / fusions:.1f} each)")
print(f"after it {after} MiB, after malloc_trim {left} MiB")
sys.exit(peak < fusions or after - left < peak / 2)
PYTHON
