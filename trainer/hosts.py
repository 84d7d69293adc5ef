"""Several processes that train one job together, begun with what the cluster that placed them says."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from trainer.sharding import Layout

PORT = 8476  # where process 0 of a TPU slice is found when only the names of its hosts are known


@dataclass(frozen=True)
class Host:
    """One of the processes that train a job together; where they are is no part of what a run is."""

    coordinator: str  # HOST:PORT of process 0, which listens there
    count: int
    index: int


def named(environment: Mapping[str, str]) -> Host | None:
    """Return the host that the variables of a TPU slice name; None where they name one host or none."""
    names = [name for name in environment.get("TPU_WORKER_HOSTNAMES", "").split(",") if name]
    if len(names) < 2:
        return None
    return Host(f"{names[0]}:{PORT}", len(names), int(environment["TPU_WORKER_ID"]))


_joined: list[Host] = []  # JAX joins once in the life of a process


def join(host: Host | None) -> None:
    """Make this process one of several, before JAX looks for devices; a host that is None has no others.

    Raises ValueError where the variables of a TPU slice, which libtpu reads, number this host otherwise, and where the
    process has joined others before.
    """
    if host is None or _joined == [host]:
        return
    if _joined:
        raise ValueError(f"this process is {_joined[0]} and can't be {host} as well")
    worker = os.environ.get("TPU_WORKER_ID")
    if worker is not None and int(worker) != host.index:
        raise ValueError(f"host {host.index} was asked for, but TPU_WORKER_ID is {worker}")
    jax.distributed.initialize(host.coordinator, host.count, host.index)
    _joined.append(host)


class Stopping:
    """Whether any process was asked to stop, asked by all of them before each dispatch and answered to all alike.

    One process answers at once. Several answer what they said before the last dispatch, so that none of them waits
    for the devices.
    """

    def __init__(self, asked: threading.Event, layout: Layout) -> None:
        self._asked, self._layout = asked, layout
        self._said: Any = None
        self._any = jax.jit(jnp.any, out_shardings=layout.whole)

    def is_set(self) -> bool:
        """Return whether all processes have to stop now."""
        if jax.process_count() == 1:
            return self._asked.is_set()
        mine = sum(one.process_index == jax.process_index() for one in self._layout.devices)
        flags = self._layout.fed(np.full(mine, self._asked.is_set()))
        before, self._said = self._said, self._any(flags)
        return before is not None and bool(before)
