#!/bin/sh
# Orbax: a CheckpointManager that keeps the best checkpoint by a metric (best_fn, max_to_keep) sorts by it as Python sorts, so that
# a NaN, as of an evaluation that diverged, breaks the order in silence. A NaN after the best loss takes its place, and the best
# checkpoint is deleted from the disk; a worse loss that comes later is the best then. It is so with best_mode "min" and "max".
# Infinity in place of NaN is ranked as one would expect. Shown with orbax-checkpoint 0.12.8, jax 0.10.2 and NumPy 2.4.6 from PyPI.
# Exit 0: it is as described. 1: the best finite metric keeps its checkpoint now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check orbax-checkpoint==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - "$folder" 2>"$folder/log" <<'PYTHON' || { tail -n 5 "$folder/log" >&2; exit 1; }
import math
import sys
import tempfile
from importlib.metadata import version

import numpy as np
from orbax import checkpoint as ocp


def kept(losses, mode):
    """The losses whose checkpoints are on the disk at the end, and that of best_step()."""
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, best_fn=lambda metrics: metrics["loss"], best_mode=mode, enable_async_checkpointing=False
    )
    with ocp.CheckpointManager(tempfile.mkdtemp(dir=sys.argv[1]), options=options) as manager:
        for step, loss in enumerate(losses):
            manager.save(step, args=ocp.args.StandardSave({"kernel": np.zeros(2)}), metrics={"loss": loss})
        return [losses[step] for step in manager.all_steps()], losses[manager.best_step()]


print("orbax-checkpoint", version("orbax-checkpoint"))
cases = {
    "min, best first": ([0.3, math.nan], "min", math.nan),
    "min, best first, more later": ([0.3, math.nan, 0.5, 0.6], "min", 0.5),
    "max, best first": ([0.7, math.nan], "max", math.nan),
    "min, infinity": ([0.3, math.inf, 0.5, 0.6], "min", 0.3),
}
right = True
for case, (losses, mode, expected) in cases.items():
    on_disk, best = kept(losses, mode)
    print(f"{case}: saved {losses}, kept {on_disk}, best_step has {best}")
    right &= str(on_disk) == str([expected]) and str(best) == str(expected)
sys.exit(not right)
PYTHON
