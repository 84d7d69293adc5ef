"""Errors that are expected at places, with what is not known of them and the noise of a reading.

Letters of shapes: N runs, M places that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalectl.analysis.bootstrap import HALF
from scalectl.analysis.law import Floats
from scalectl.analysis.vocabulary import CORRELATION


def sampling(error_N: Floats, images: float) -> Floats:
    """The relative variance [N] of errors on so many test images, without what runs on the same ones share."""
    return np.asarray((1 - CORRELATION) * np.maximum(1 - error_N, 0.0) / (error_N * images))


@dataclass(frozen=True, eq=False)
class Outlook:
    """Errors at M places; `covariance` [M, M] is of what is not known of their logarithms, `noise` the variance of a
    reading beside that of its test `images`.
    """

    mean: Floats
    covariance: Floats
    noise: float
    images: float = np.inf

    @property
    def deviation(self) -> Floats:
        """Standard deviations [M] of the logarithms of new readings."""
        return np.sqrt(np.diag(self.covariance) + self.noise + sampling(self.mean, self.images))

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The ends [M] of the 90 % intervals of new readings."""
        factor_M = np.exp(HALF * self.deviation)
        return self.mean / factor_M, self.mean * factor_M


def blended(parts: Sequence[tuple[float, Outlook]]) -> Outlook:
    """One outlook of several, each with its share; what they disagree in is not known."""
    log_M = np.asarray(sum(share * np.log(part.mean) for share, part in parts))
    covariance, noise = np.zeros((len(log_M), len(log_M))), 0.0
    for share, part in parts:
        off_M = np.log(part.mean) - log_M
        covariance += share * (part.covariance + np.outer(off_M, off_M))
        noise += share * part.noise
    return Outlook(np.exp(log_M), covariance, noise)
