"""A stop that all processes of a job make at the same dispatch."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalectl.trainer.events import Stop
from scalectl.trainer.sharding import Layout


class Stopping:
    """Whether any process was asked to stop, asked by all of them before each dispatch and answered to all alike.

    One process answers at once. Several answer what they said before the last dispatch, so that none of them waits
    for the devices.
    """

    def __init__(self, asked: Stop, layout: Layout) -> None:
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
