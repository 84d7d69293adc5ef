#!/bin/sh
# Ray: with log_to_driver=False and logging_level="error" a driver still gets what raylets report, such as that a worker has ended
# by itself: on its standard output, not on its standard error, and with codes for colours where that is a file. So a program whose
# output is read by another one can't be kept clean by these options. A line that a worker prints is held back, as said.
# Shown with Ray 2.60.0 from PyPI, without other packages.
# Exit 0: it is as described. 1: the report is held back now, goes to standard error, or has no colours.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ray==2.60.0
cat > "$folder/driver.py" <<'PYTHON'
import os
import sys
import time

import ray

ray.init(
    num_cpus=1,
    include_dashboard=False,
    log_to_driver=False,
    logging_level="error",
    _node_ip_address="127.0.0.1",
    _temp_dir=sys.argv[1],
)


@ray.remote(max_retries=0)
def ends():
    print("a line of the worker", flush=True)
    os._exit(1)


try:
    ray.get(ends.remote())
except ray.exceptions.WorkerCrashedError:
    time.sleep(5)  # until reports have come
ray.shutdown()
PYTHON
"$folder/venv/bin/python" "$folder/driver.py" "$folder/r" > "$folder/out" 2> "$folder/error"
"$folder/venv/bin/python" -c 'import ray; print("Ray", ray.__version__)'
echo "standard output, its first 80 letters:"
cut -c1-80 "$folder/out" | cat -v
grep -q "a line of the worker" "$folder/out" "$folder/error" && exit 1
cat -v "$folder/out" | grep -q '\^\[\[33m(raylet)\^\[\[0m A worker died' || exit 1
! grep -q "A worker died" "$folder/error"
