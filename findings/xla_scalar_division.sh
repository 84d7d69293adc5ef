#!/bin/sh
# XLA on a CPU: an array divided by a scalar, constant or not, is multiplied by the scalar's reciprocal, so that half of the quotients
# of bytes and 127.5 are not those of IEEE 754; a subtraction after it is contracted with that product to one rounding. Divided
# by an array of the same shape they are right. So x / 127.5 - 1 in a compiled step has other bits than in NumPy; a table of
# 256 numbers has the same. Shown with jax 0.10.2 and NumPy 2.4.6 from PyPI, without other packages.
# Exit 0: it is as described. 1: the quotients are those of IEEE 754 now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import numpy as np

colours, divisor = np.arange(256, dtype=np.float32), np.float32(127.5)
exact = colours / divisor  # correctly rounded
divided = {
    "by a scalar argument": jax.jit(lambda x, d: x / d)(colours, divisor),
    "by a constant": jax.jit(lambda x: x / 127.5)(colours),
    "by an array": jax.jit(lambda x, d: x / d)(colours, np.full_like(colours, divisor)),
}
less = jax.jit(lambda x, d: x / d - 1)(colours, divisor)
print("jax", jax.__version__, "NumPy", np.__version__)
wrong = {way: int((np.asarray(found) != exact).sum()) for way, found in divided.items()}
for way, number in wrong.items():
    print(f"divided {way}: {number} of 256 quotients differ")
print("less 1:", int((np.asarray(less) != exact - np.float32(1)).sum()), "of 256 differ")
sys.exit(not wrong["by a scalar argument"])
PYTHON
