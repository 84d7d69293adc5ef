#!/bin/sh
# JAX with libtpu: a program compiled ahead of time for a slice that isn't there is written into the persistent cache of
# compiled programs, but can't be read from it. With JAX 0.12.0.1 and libtpu 0.0.50.1 the next process warns and compiles
# again; with JAX 0.10.2 and libtpu 0.0.42.1 (Python 3.11) it is silent. Python 3.12 or later, Linux on x86-64.
# Exit 0: it is as described. 1: the second process reads the program or says nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.12.0.1 jaxlib==0.12.0.1 libtpu==0.0.50.1
cat > "$folder/ahead.py" <<'PYTHON'
import warnings
import jax
import jax.numpy as jnp
from jax.experimental.topologies import get_topology_desc
from jax.sharding import Mesh, NamedSharding, PartitionSpec

slices = get_topology_desc(topology_name="v5e:2x2", platform="tpu")
mesh = Mesh(slices.devices, ("batch",))
square = jax.ShapeDtypeStruct((1024, 1024), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec("batch")))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    jax.jit(lambda a: jnp.tanh(a @ a)).trace(square).lower(lowering_platforms=("tpu",)).compile()
for warning in caught:
    print(jax.__version__, str(warning.message)[:200])
PYTHON
export JAX_COMPILATION_CACHE_DIR="$folder/cache" JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
export TPU_SKIP_MDS_QUERY=1 TPU_WORKER_HOSTNAMES=localhost TPU_ACCELERATOR_TYPE=v5litepod-4
first=$("$folder/venv/bin/python" "$folder/ahead.py" 2>/dev/null)
echo "files in the cache: $(ls "$folder/cache" | wc -l), first process: ${first:-no warning}"
second=$("$folder/venv/bin/python" "$folder/ahead.py" 2>/dev/null)
echo "second process: ${second:-no warning}"
case "$first:$second" in :*"Error reading persistent compilation cache entry"*) exit 0 ;; esac
exit 1
