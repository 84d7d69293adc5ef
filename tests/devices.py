"""Jobs in processes of their own, on as many forced CPU devices as a test asks for, alone or several together."""

import math
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from scalectl.trainer.events import Event
from scalectl.trainer.multihost import Host
from scalectl.trainer.spec import Job

CODE = """
import pickle, sys, threading
from pathlib import Path
from scalectl.trainer.multihost import join
job, host, out, stop, whole_below = pickle.loads(Path(sys.argv[1]).read_bytes())
join(host)
import jax
from scalectl.trainer.sharding import Layout
from scalectl.trainer.train import train
devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
every = Layout(tuple(devices), whole_below)
stopping, events = threading.Event(), []
for event in train(job, stopping, every):
    events.append(event)
    if getattr(event, "step", 0) >= stop:
        stopping.set()
Path(out).write_bytes(pickle.dumps(events))
"""


def told(
    job: Job,
    folder: Path,
    devices: int = 1,
    processes: int = 1,
    stops: Mapping[int, int] = MappingProxyType({}),
    whole_below: int = 0,
) -> list[list[Event]]:
    """What each process of a job told; those with an entry in `stops` are asked to stop once they tell of that step.

    Models are divided over the devices, however small; unless they have fewer parameters than `whole_below`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    coordinator = f"127.0.0.1:{free_port()}"
    lives = []
    for index in range(processes):
        host = Host(coordinator, processes, index) if processes > 1 else None
        asked, out = folder / f"{index}.job", folder / f"{index}.told"
        asked.write_bytes(pickle.dumps((job, host, str(out), stops.get(index, math.inf), whole_below)))
        command = [sys.executable, "-W", "error", "-c", CODE, str(asked)]
        lives.append((out, subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)))
    for _, life in lives:
        _, complaint = life.communicate(timeout=240)
        assert life.returncode == 0, complaint
    return [pickle.loads(out.read_bytes()) for out, _ in lives]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
