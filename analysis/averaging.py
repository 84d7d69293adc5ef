"""Laws of several families averaged by how well the points support each, with an interval that holds their spread.

Letters of shapes: B draws, F families, M amounts of compute, P parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scalectl.analysis.bootstrap import HALF, around, widening
from scalectl.analysis.law import Floats, Law, inverted
from scalectl.analysis.noise import shared_noise

_TRUST, _GENERAL = 0.5, 5.0  # chosen on planted studies and on the paper's runs; docs/laws.md has the trial
_EXACT = 1e-6  # rms below which points lie on the law
NEGLIGIBLE = 0.02  # weight below which a family is left out: one in fifty is no help, and its draws take time


@dataclass(frozen=True, eq=False)
class Member:
    """A family's law with its weight in the average and its bootstrap draws [B, P]."""

    law: Law
    weight: float
    draws: Floats
    points: int  # that it was fitted to

    @property
    def wider(self) -> float:
        """The factor by which its interval is wider than the draws alone would have it."""
        return widening(self.points, len(self.law.values))

    def around(self, compute_M: Floats, scatter: Floats | None, seed: int) -> tuple[Floats, Floats]:
        """The ends of the interval of its log error; with residuals as `scatter`, that of a single point."""
        drawn_BM = np.log(self.law.family.predictions(self.draws, compute_M))
        if scatter is not None:
            drawn_BM = drawn_BM + np.random.default_rng(seed).choice(scatter, size=drawn_BM.shape)
        return around(np.log(self.law(compute_M)), drawn_BM, self.wider)


@dataclass(frozen=True, eq=False)
class Average:
    """A law of several families: the mean of their logarithms by weight, which sum to 1."""

    members: tuple[Member, ...]
    images: float | None = None  # that the runs are tested on
    correlation: float = 0.0  # of the sampling noise of two runs, which no scatter between runs shows
    stretch: float = 1.0  # of intervals, in log error, where a backtest failed

    def __call__(self, compute: ArrayLike) -> Floats:
        """The error at each compute; that of a single law to the last bit."""
        if len(self.members) == 1:
            return self.members[0].law(compute)
        logs = [member.weight * np.log(member.law(compute)) for member in self.members]
        return np.asarray(np.exp(np.sum(logs, axis=0)))

    def around(self, compute: ArrayLike, scatter: Floats | None = None, seed: int = 0) -> tuple[Floats, Floats]:
        """The ends of the interval at each compute; with residuals as `scatter`, that of a single point.

        The squares of two distances add up, each averaged over the families: from a family to the end of its own
        interval, and from the average to the family.
        """
        compute = np.asarray(compute, float)
        compute_M = compute.ravel()
        middle_M = np.log(self(compute_M))
        below_M, above_M = np.zeros_like(middle_M), np.zeros_like(middle_M)
        for member in self.members:
            low_M, high_M = member.around(compute_M, scatter, seed)
            family_M = np.log(member.law(compute_M))
            spread_M = (HALF * (family_M - middle_M)) ** 2
            below_M += member.weight * ((family_M - low_M) ** 2 + spread_M)
            above_M += member.weight * ((high_M - family_M) ** 2 + spread_M)
        shared_M = np.zeros_like(middle_M)
        if self.images:
            shared_M = (HALF * shared_noise(np.exp(middle_M), self.images, self.correlation) / np.exp(middle_M)) ** 2
        below_M, above_M = below_M + shared_M, above_M + shared_M
        below_M, above_M = (self.stretch * np.sqrt(square_M) for square_M in (below_M, above_M))
        with np.errstate(over="ignore"):  # an end beyond all numbers is infinite
            low_M, high_M = np.exp(middle_M - below_M), np.exp(middle_M + above_M)
        return low_M.reshape(compute.shape), high_M.reshape(compute.shape)

    def invert(self, error: float) -> float:
        """The compute at which the average reaches an error: infinity if never, 0 if from the start."""
        return float(inverted(self, error))


def weights(left_one_out: Sequence[float], points: int) -> Floats:
    """The weight of each law by the rms log error of points that it was not fitted to, the last the most general.

    That is the likelihood of these errors, to the power of `_TRUST`, as scores of a few points are noisy; and before
    all points the last law is worth `_GENERAL` others. Negligible weights are 0.
    """
    rms_F = np.maximum(np.array(left_one_out), _EXACT)
    prior_F = np.ones_like(rms_F)
    if len(prior_F) > 1:
        prior_F[-1] = _GENERAL
    share_F = prior_F * (rms_F / rms_F.min()) ** (-_TRUST * points)
    share_F = share_F / share_F.sum()
    kept_F = np.where(share_F >= NEGLIGIBLE, share_F, 0.0)
    return np.asarray(kept_F / kept_F.sum())
