#!/bin/sh
# XLA for TPUs: pictures that are cut into patches by a transpose of six dimensions are copied with the small grid of
# patches on the lanes, padded to 8 x 128; with the last two dimensions, pixels of a row and colours, kept as one, they
# are not. The arrays are equal. Shown ahead of time, without a TPU, with jax 0.12.0.1 and libtpu 0.0.50.1 for v5e: 512
# pictures of 224 pixels in patches of 28. Python 3.12 or later, Linux on x86-64.
# Exit 0: the temporaries of the first are at least 3 times those of the second (2,520 and 718 MiB). 1: they are not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.12.0.1 jaxlib==0.12.0.1 libtpu==0.0.50.1
export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1 TPU_WORKER_HOSTNAMES=localhost TPU_ACCELERATOR_TYPE=v5litepod-1
"$folder/venv/bin/python" - <<'PYTHON' 
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.topologies import get_topology_desc
from jax.sharding import Mesh, NamedSharding, PartitionSpec

COUNT, SIDE, PATCH, WIDTH = 512, 224, 28, 256
GRID = SIDE // PATCH


def apart(images):
    cut = images.reshape(-1, GRID, PATCH, GRID, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(-1, PATCH * PATCH * 3)


def merged(images):
    cut = images.reshape(-1, GRID, PATCH, GRID, PATCH * 3).transpose(0, 1, 3, 2, 4)
    return cut.reshape(-1, PATCH * PATCH * 3)


chip = get_topology_desc(topology_name="v5e:1x1", platform="tpu", chips_per_host_bounds=(1, 1, 1)).devices
whole = NamedSharding(Mesh(chip, ("one",)), PartitionSpec())
images = jax.ShapeDtypeStruct((COUNT, SIDE, SIDE, 3), jnp.float32, sharding=whole)
kernel = jax.ShapeDtypeStruct((PATCH * PATCH * 3, WIDTH), jnp.float32, sharding=whole)
few = np.arange(2 * SIDE * SIDE * 3, dtype=np.float32).reshape(2, SIDE, SIDE, 3)
with jax.default_device(jax.devices("cpu")[0]):
    assert (np.asarray(apart(few)) == np.asarray(merged(few))).all()
needed = {}
for patches in (apart, merged):
    program = jax.jit(lambda images, kernel: patches(images) @ kernel)
    compiled = program.trace(images, kernel).lower(lowering_platforms=("tpu",)).compile()
    needed[patches.__name__] = compiled.memory_analysis().temp_size_in_bytes
    print(jax.__version__, patches.__name__, f"{needed[patches.__name__] / 2**20:.0f} MiB of temporaries")
sys.exit(needed["apart"] < 3 * needed["merged"])
PYTHON
