#!/bin/sh
# Ray: `init(log_to_driver=False)` stops the driver from showing logs, not the process that reads them. The log monitor
# goes on to look through its folders and files ten times a second, also where no worker was ever started, and no option
# of `init` leaves it out. Ray 2.60.0, one CPU, no task, 20 seconds.
# Exit 0: the log monitor runs, and wakes at least 5 times a second. 1: it doesn't.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ray==2.60.0 psutil==7.2.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import psutil
import ray

SECONDS = 20

ray.init(address="local", num_cpus=1, log_to_driver=False, include_dashboard=False, logging_level="error", _node_ip_address="127.0.0.1")
started = psutil.Process().children(recursive=True)
(monitor,) = (process for process in started if any("log_monitor.py" in word for word in process.cmdline()))
time.sleep(5)  # it has begun
wakes, used = monitor.num_ctx_switches().voluntary, sum(monitor.cpu_times()[:2])
time.sleep(SECONDS)
each = (monitor.num_ctx_switches().voluntary - wakes) / SECONDS
share = (sum(monitor.cpu_times()[:2]) - used) / SECONDS
print(f"ray {ray.__version__}: the log monitor wakes {each:.1f} times a second, {100 * share:.1f} % of a core")
ray.shutdown()
sys.exit(each < 5)
PYTHON
