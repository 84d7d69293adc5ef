"""The kinds of places for jobs by name; a new one is a Backend and a line here, or an entry from outside."""

from collections.abc import Callable

from scalectl.orchestrator.cluster.base import Backend, Request
from scalectl.orchestrator.cluster.here import Here
from scalectl.orchestrator.cluster.ray_cluster import OnRay
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watchdog import Patience
from scalectl.orchestrator.errors import NotFound, did_you_mean

BACKENDS: dict[str, Callable[[Request], Backend]] = {"here": Here, "ray": OnRay}


def opened(name: str, request: Request | None = None, patience: Patience | None = None) -> Supervisor:
    """The slots of a backend, ready for jobs; raises NotFound for a name that no backend has.

    What a backend itself raises is a Refusal, too: a cluster that can't be joined, or one without such slots.
    """
    if name not in BACKENDS:
        raise NotFound(f"no backend is called {name!r}: {did_you_mean(name, BACKENDS) or ', '.join(sorted(BACKENDS))}")
    return Supervisor(BACKENDS[name](request or Request()), patience)
