"""What makes errors of runs independent: the inverse root of their covariance at a size of departure and noise.

It knows no law, so that laws of other exponents share it.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.triangular import solve_lower

SHORT = np.float32  # numbers of what is whitened for a step: such products take half the time
_LENGTH = 2.0  # of a departure, in each logarithm


@dataclass(frozen=True)
class Size:
    """The relative size of a departure, that of the noise of a run, and the share of it that a group has in common."""

    departure: float
    noise: float
    shared: float = 0.0


@dataclass(frozen=True, eq=False)
class Whitening:
    """The inverse of the Cholesky root of the runs' covariance [N, N], also in short numbers, and the logarithm of the
    root's determinant.
    """

    size: Size
    inverse: Floats
    short: NDArray[np.float32]
    log_root: float


@dataclass(frozen=True, eq=False)
class Runs:
    """Logarithms of what runs are made of [N, X], their errors above 0, the group that each shares noise with, and the
    relative variance of the noise that is known of each.
    """

    places: Floats
    errors: Floats
    groups: NDArray[np.int64]
    sampling: Floats
    _found: dict[Size, Whitening] = field(default_factory=dict, init=False)

    def take(self, rows: NDArray[np.int64]) -> "Runs":
        """Some of them."""
        return Runs(self.places[rows], self.errors[rows], self.groups[rows], self.sampling[rows])

    def whitening(self, size: Size) -> Whitening:
        """That of a size, which is found once."""
        if size not in self._found:
            alike_NN = (self.groups[:, None] == self.groups) * size.shared + (1 - size.shared) * np.eye(
                len(self.errors)
            )
            noise_NN = size.noise**2 * alike_NN + np.diag(self.sampling)
            root_NN: Floats = np.linalg.cholesky(size.departure**2 * self._near + noise_NN).astype(float)
            inverse_NN = solve_lower(root_NN, np.eye(len(root_NN)))
            log_root = float(np.log(np.diag(root_NN)).sum())
            self._found[size] = Whitening(size, inverse_NN, inverse_NN.astype(SHORT), log_root)
        return self._found[size]

    @cached_property
    def _near(self) -> Floats:
        return nearness(self.places, self.places)


def nearness(a_NX: Floats, b_MX: Floats) -> Floats:
    """How much departures at some places are alike, from 0 to 1 [N, M]."""
    return np.asarray(np.exp(-0.5 * (((a_NX[:, None] - b_MX) / _LENGTH) ** 2).sum(axis=2)))
