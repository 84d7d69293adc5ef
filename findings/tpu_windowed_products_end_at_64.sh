#!/bin/sh
# XLA for TPUs: products with weights that are divided over a slice go round by collective-permute, a part of the weights
# at a time ("windowed_dot_general"), on 32 devices; on 64 each device gathers whole weights, and needs over twice the
# temporaries for as many rows. No option was changed between the two. Shown ahead of time, without a TPU, with jax
# 0.12.0.1 and libtpu 0.0.50.1: two MLPs of width 2048 and their gradients, 512 rows a device, v5e:4x8 and v5e:8x8.
# Python 3.12 or later, Linux on x86-64.
# Exit 0: permutes on 32 devices and none on 64, and 1.5 times the temporaries (65 and 144 MiB). 1: otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.12.0.1 jaxlib==0.12.0.1 libtpu==0.0.50.1
export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1 TPU_WORKER_HOSTNAMES=localhost TPU_ACCELERATOR_TYPE=v5litepod-16
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.topologies import get_topology_desc
from jax.sharding import Mesh, NamedSharding, PartitionSpec

WIDTH, ROWS = 2048, 512


def loss(layers, rows):
    for up, down in layers:
        rows = jax.nn.gelu(rows @ up) @ down
    return jnp.mean(rows.astype(jnp.float32) ** 2)


def compiled(topology):
    devices = np.array(get_topology_desc(topology_name=topology, platform="tpu").devices)
    parts = NamedSharding(Mesh(devices.reshape(-1), ("all",)), PartitionSpec("all"))
    up, down, rows = (
        jax.ShapeDtypeStruct(shape, jnp.bfloat16, sharding=parts)
        for shape in ((WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH), (ROWS * devices.size, WIDTH))
    )
    gradient = jax.jit(jax.grad(loss), out_shardings=[(parts, parts)] * 2)
    return gradient.trace([(up, down)] * 2, rows).lower(lowering_platforms=("tpu",)).compile()


permutes, temporaries = [], []
for topology in ("v5e:4x8", "v5e:8x8"):
    program = compiled(topology)
    permutes.append(program.as_text().count("collective-permute("))
    temporaries.append(program.memory_analysis().temp_size_in_bytes / 2**20)
    print(jax.__version__, topology, permutes[-1], "permutes,", f"{temporaries[-1]:.0f} MiB of temporaries")
sys.exit(not (permutes[0] and not permutes[1] and temporaries[1] > 1.5 * temporaries[0]))
PYTHON
