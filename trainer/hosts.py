"""Several processes that train one job together, begun with what the cluster that placed them says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

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
    import jax

    alone = host.coordinator if host.coordinator.startswith("127.") else None  # else it listens to the whole network
    jax.config.update("jax_enable_preemption_service", False)  # it takes SIGTERM, on which a worker saves, for itself
    jax.distributed.initialize(host.coordinator, host.count, host.index, coordinator_bind_address=alone)
    _joined.append(host)
