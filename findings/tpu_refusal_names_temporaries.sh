#!/bin/sh
# XLA for TPUs: a program that doesn't fit into the memory of a chip is refused with "the total memory required for HLO temporaries",
# and that number holds arguments and results. A program that only doubles an array has no temporaries, as memory_analysis() says where
# it fits; of 9 GiB in and 9 GiB out it is refused for 18.00G of "temporaries", and fits once its argument is donated. So the words
# lead to smaller batches and rematerialisation where it is the state of the training that is too large. Shown ahead of time, without a
# TPU, with jax 0.12.0.1 and libtpu 0.0.50.1 for v5e. Python 3.12 or later, Linux on x86-64.
# Exit 0: it is as described. 1: the refusal counts or names arguments and results apart.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.12.0.1 jaxlib==0.12.0.1 libtpu==0.0.50.1
export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1 TPU_WORKER_HOSTNAMES=localhost TPU_ACCELERATOR_TYPE=v5litepod-1
"$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' || { tail -n 5 "$folder/log" >&2; exit 1; }
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.topologies import get_topology_desc
from jax.sharding import Mesh, NamedSharding, PartitionSpec

GIB = 2**30

chip = get_topology_desc(topology_name="v5e:1x1", platform="tpu", chips_per_host_bounds=(1, 1, 1)).devices
whole = NamedSharding(Mesh(np.array(chip), ("one",)), PartitionSpec())


def compiled(size, donate=()):
    """GiB of arguments, results, what they share, and temporaries; or what the compiler says."""
    array = jax.ShapeDtypeStruct((size * GIB // 4,), jnp.float32, sharding=whole)
    doubled = jax.jit(lambda x: 2 * x, donate_argnums=donate).trace(array)
    try:
        memory = doubled.lower(lowering_platforms=("tpu",)).compile().memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        return str(error).splitlines()[0]
    sizes = memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.alias_size_in_bytes, memory.temp_size_in_bytes
    return tuple(round(size / GIB, 3) for size in sizes)


fits, refused, donated = compiled(5), compiled(9), compiled(9, donate=0)
print(jax.__version__, "arguments, results, shared, temporaries in GiB")
print("5 GiB doubled:", fits)
print("9 GiB doubled:", refused)
print("9 GiB doubled, donated:", donated)
named = re.search(r"required for HLO temporaries \(([\d.]+)G\)", refused) if isinstance(refused, str) else None
sys.exit(not (fits == (5, 5, 0, 0) and donated == (9, 9, 9, 0) and named and float(named[1]) == 18))
PYTHON
