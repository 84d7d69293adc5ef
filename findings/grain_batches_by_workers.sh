#!/bin/sh
# Grain: how many processes a DataLoader has changes which examples are in a batch, and how many are left out. Each process reads each
# n-th example and makes batches of its own, so that the same source, sampler and seed give other batches with 3 processes than
# with none, and drop_remainder=True drops the rest of each process: of 20 examples in batches of 4, none is lost without
# processes, and 8 with 3. Without drop_remainder a short batch comes from each. The documentation warns of changed output at
# mp_prefetch, not at DataLoader. Processes start only after absl's flags are parsed, which a plain script doesn't do.
# Shown with grain 0.2.18 from PyPI.
# Exit 0: it is as described. 1: batches no longer depend on the number of processes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check grain==0.2.18
cat > "$folder/read.py" <<'PYTHON'
import sys
from importlib.metadata import version

import grain
from absl import flags


def batches(workers, drop_remainder):
    loader = grain.DataLoader(
        data_source=range(20),
        sampler=grain.samplers.IndexSampler(20, shuffle=True, num_epochs=1, seed=1),
        operations=[grain.transforms.Batch(4, drop_remainder=drop_remainder)],
        worker_count=workers,
    )
    return [batch.tolist() for batch in loader]


if __name__ == "__main__":
    flags.FLAGS(sys.argv)
    print("grain", version("grain"), "20 examples in batches of 4")
    found = {}
    for workers in (0, 3):
        for drop in (True, False):
            found[workers, drop] = batches(workers, drop)
            seen = len({example for batch in found[workers, drop] for example in batch})
            print(f"{workers} processes, drop_remainder={drop}: {seen} examples, {found[workers, drop]}")
    sizes = {way: [len(batch) for batch in made] for way, made in found.items()}
    right = sizes[0, True] == sizes[0, False] == [4] * 5 and sizes[3, True] == [4] * 3
    right &= sorted(sizes[3, False]) == [2, 3, 3, 4, 4, 4] and found[0, True][0] != found[3, True][0]
    sys.exit(not right)
PYTHON
"$folder/venv/bin/python" "$folder/read.py" 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 1; }
