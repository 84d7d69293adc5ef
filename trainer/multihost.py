"""Several processes that train one job together: how they find each other, and how they stop together.

JAX is imported where it is used: the launcher names hosts without it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scalectl.trainer.events import Stop

if TYPE_CHECKING:
    from scalectl.trainer.sharding import Layout

PORT = 8476  # where process 0 of a TPU slice is found when only the names of its hosts are known


@dataclass(frozen=True)
class Host:
    """One of the processes that train a job together; where they are is no part of what a run is."""

    coordinator: str  # HOST:PORT of process 0, which listens there
    count: int
    index: int


def named(environment: Mapping[str, str]) -> Host | None:
    """The host that the variables of a TPU slice name; None where they name one host or none."""
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
    import jax

    address = None  # it listens to the whole network
    if host.coordinator.startswith("127."):
        address = host.coordinator
    jax.config.update("jax_enable_preemption_service", False)  # it takes SIGTERM, on which a worker saves, for itself
    jax.distributed.initialize(host.coordinator, host.count, host.index, coordinator_bind_address=address)
    _joined.append(host)


class Stopping:
    """Whether any process was asked to stop, asked by all of them before each dispatch and answered to all alike.

    One process answers at once. Several answer what they said before the last dispatch, so that none of them waits
    for the devices.
    """

    def __init__(self, stop: Stop, layout: "Layout") -> None:
        import jax
        import jax.numpy as jnp

        self._stop, self._layout = stop, layout
        self._alone = jax.process_count() == 1
        self._devices = sum(device.process_index == jax.process_index() for device in layout.devices)
        self._any = jax.jit(jnp.any, out_shardings=layout.whole)
        self._answer: Any = None  # of the last dispatch

    def is_set(self) -> bool:
        """Whether all processes have to stop now."""
        if self._alone:
            return self._stop.is_set()
        flags = self._layout.fed(np.full(self._devices, self._stop.is_set()))
        before, self._answer = self._answer, self._any(flags)
        return before is not None and bool(before)
