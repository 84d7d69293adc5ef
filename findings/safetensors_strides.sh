#!/bin/sh
# safetensors.numpy: an array that isn't in C order, such as kernel.T, is stored with its values in the order of memory and with
# the shape of the view, so that it reads back with other values, and nothing is said. np.ascontiguousarray avoids it. Shown with
# safetensors 0.8.0 and NumPy 2.4.6 from PyPI, without other packages.
# Exit 0: it is as described. 1: the values are kept now, or the array is refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load, save

kernel = np.arange(6.0).reshape(2, 3)
read = load(save({"weight": kernel.T, "copy": np.ascontiguousarray(kernel.T)}))
print("safetensors", safetensors.__version__, "NumPy", np.__version__)
print("saved", kernel.T.tolist())
print("read back", read["weight"].tolist())
print("read back of a copy in C order", read["copy"].tolist())
assert np.array_equal(read["copy"], kernel.T)
sys.exit(np.array_equal(read["weight"], kernel.T))
PYTHON
