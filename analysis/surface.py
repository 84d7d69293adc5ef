"""Loss as a law of model size and data: L(N, D) = E + A / N^alpha + B / D^beta, and what it says of compute.

The fit minimises Huber's loss with delta 1e-3 of residuals in log L, as Hoffmann et al. (arXiv 2203.15556, approach 3)
and the correction of their fit by Besiroglu et al. (arXiv 2404.10102).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from analysis.checks import amounts
from analysis.refusal import Refused
from analysis.surface_solver import EXPONENTS, Floats, Losses, best, redrawn

LEAST_POINTS = 7
FLOPS = 6.0  # of training, for each parameter and each token: C = 6 N D
LEVEL = 0.9  # of all intervals


@dataclass(frozen=True)
class Surface:
    """A fitted law; E is the loss at unlimited size and data, `loss` the sum of Huber's loss at the optimum."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    loss: float
    fitted: Losses = field(repr=False, compare=False)

    @property
    def exponents(self) -> tuple[float, float]:
        """The exponents of the compute-optimal N and D in C; their sum is 1."""
        both = self.alpha + self.beta
        return self.beta / both, self.alpha / both

    def predict(self, N: ArrayLike, D: ArrayLike) -> Floats:
        """Return the loss at sizes N and data D, which may be whole numbers of any length and broadcast.

        Raises Refused for numbers that are not finite and above 0.
        """
        return self.E + self.A * amounts("N", N) ** -self.alpha + self.B * amounts("D", D) ** -self.beta

    def optimal(self, C: ArrayLike, flops: float = FLOPS) -> tuple[Floats, Floats]:
        """Return the N and D of least loss at training compute C = `flops` N D; raises Refused as `predict` does."""
        of_N, of_D = self.exponents
        lean = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        product = amounts("C", C) / amounts("flops", flops)
        return lean * product**of_N, product**of_D / lean

    def bootstrap(self, n: int = 200, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Return 90 % intervals of E, A, B, alpha, beta and the two exponents from `n` draws of the runs.

        The runs are drawn with replacement and each draw is fitted from where the first fit ended; the same seed gives
        the same intervals. Raises Refused without draws.
        """
        if n < 1:
            raise Refused(f"n = {n}: intervals need 1 draw or more, better 200.")
        start = np.array([self.E, self.A, self.B, self.alpha, self.beta])
        drawn = dict(zip(("E", "A", "B", "alpha", "beta"), redrawn(self.fitted, start, n, seed).T, strict=True))
        of_N = drawn["beta"] / (drawn["alpha"] + drawn["beta"])
        drawn |= {"N_exponent": of_N, "D_exponent": 1 - of_N}
        ends = np.quantile(list(drawn.values()), ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=1)
        return {name: (float(low), float(high)) for name, low, high in zip(drawn, *ends, strict=True)}


def fit_surface(N: ArrayLike, D: ArrayLike, L: ArrayLike) -> Surface:
    """Return the law of losses L of models of N parameters trained on D tokens or images, one run each.

    Raises Refused below 7 runs, for numbers that are not finite and above 0, for runs of one model size, one amount of
    data or one line of the two, and where an exponent has no optimum within its bounds.
    """
    runs = [np.asarray(values, float) for values in (N, D, L)]
    _check(*runs)
    losses = Losses.of(*runs)
    (E, A, B, alpha, beta), loss = best(losses)
    for name, exponent in (("alpha", alpha), ("beta", beta)):
        if not EXPONENTS[0] < exponent < EXPONENTS[1]:
            raise Refused(f"refused: {name} runs off to its bound {exponent:g}; the losses don't follow the law.")
    return Surface(float(E), float(A), float(B), float(alpha), float(beta), loss, losses)


def _check(N: Floats, D: Floats, L: Floats) -> None:
    if N.ndim != 1 or not N.shape == D.shape == L.shape:
        raise Refused(f"refused: N, D and L must be three lists of one length, not {N.shape}, {D.shape}, {L.shape}.")
    for name, values in (("N", N), ("D", D), ("L", L)):
        if bad := int((~(np.isfinite(values) & (values > 0))).sum()):
            raise Refused(
                f"refused: {bad} of {len(values)} values of {name} are not finite and above 0; leave them out."
            )
    if len(N) < LEAST_POINTS:
        raise Refused(f"refused: {len(N)} runs, and a law with 5 parameters needs {LEAST_POINTS}. Add runs.")
    for name, values, what in (("N", N, "model sizes"), ("D", D, "amounts of data")):
        if np.ptp(np.log(values)) < 1e-9:
            raise Refused(f"refused: all runs have {name} = {values[0]:.6g}; add other {what}.")
    logs = np.log(np.stack([N, D], axis=1))
    if np.linalg.svd(logs - logs.mean(axis=0), compute_uv=False)[1] < 1e-9:
        raise Refused("refused: N and D of all runs lie on one line in log-log; vary one while the other stays.")
