"""Which nodes of a Ray cluster will be taken away."""

import time
from contextlib import suppress
from typing import Any

DRAIN_SECONDS = 1.0


class Draining:
    """The nodes that will be taken away, asked for at most once in DRAIN_SECONDS."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._asked, self._nodes = -DRAIN_SECONDS, frozenset[str]()

    def nodes(self) -> frozenset[str]:
        """Return their ids; none where this version of Ray has no way to tell, for there is no public one."""
        if time.monotonic() - self._asked >= DRAIN_SECONDS:
            self._asked = time.monotonic()
            with suppress(Exception):
                self._nodes = frozenset(self._ray._private.state.state.get_draining_nodes())
        return self._nodes
