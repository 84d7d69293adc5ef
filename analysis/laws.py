"""The law family: error as a function of compute."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FORMULA = "E = a (C + d)^-b + c"
LETTERS = {"scale": "a", "exponent": "b", "floor": "c", "offset": "d"}  # as arXiv 2106.04560 prints them


@dataclass(frozen=True)
class Law:
    """E = scale (C + offset)^-exponent + floor for compute C in `unit`; saturates at both ends.

    The pure power law is the one whose offset and floor are 0. With C in a unit k times smaller, the same law has
    scale k^exponent and offset k times as large.
    """

    scale: float
    offset: float
    exponent: float
    floor: float
    unit: str
    name = "doubly saturating"

    def __call__(self, compute: ArrayLike) -> NDArray[np.float64]:
        """Return the error at each compute."""
        total = np.asarray(compute, float) + self.offset
        return np.exp(np.log(self.scale) - self.exponent * np.log(total)) + self.floor

    def params(self) -> dict[str, float]:
        """Return the parameters by name."""
        return {name: value for name, value in asdict(self).items() if name != "unit"}

    def per(self, factor: float, unit: str) -> "Law":
        """Return the same law for compute counted in `unit`, of which `factor` are one of the present unit."""
        return replace(self, scale=self.scale * factor**self.exponent, offset=self.offset * factor, unit=unit)

    def __str__(self) -> str:
        shift = f"(C + {self.offset:.3g})" if self.offset else "C"
        floor = f" + {self.floor:.3g}" if self.floor else ""
        return f"E = {self.scale:.3g} {shift}^-{self.exponent:.3g}{floor}, C in {self.unit}"
