"""Loss as a law of model size and data: L(N, D) = E + A / N^alpha + B / D^beta, and what it says of compute.

The fit minimises Huber's loss with delta 1e-3 of residuals in log L, as Hoffmann et al. (arXiv 2203.15556, approach 3)
and the correction of their fit by Besiroglu et al. (arXiv 2404.10102).

At given exponents the other three parameters are a linear problem. That finds the starts; from there all five go down
together by Levenberg-Marquardt, many fits at once, as logarithms of the three terms at the middle of the runs and the
two exponents, with weights that turn squares into Huber's loss.

Letters of shapes: B fits, N runs, P parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused, amounts, whole
from scalectl.analysis.notebook import html_table
from scalectl.analysis.runs import in_order
from scalectl.analysis.surface_runs import LEAST_TIED, carries, numbered, three_lists
from scalectl.analysis.surrogate import Forecast

Floats = NDArray[np.float64]

FLOPS = 6.0  # of training, for each parameter and each token: C = 6 N D
FORMULA = "L = E + A / N^alpha + B / D^beta"
EXPONENTS = (0.01, 5.0)
_DELTA = 1e-3  # of log L; larger residuals count linearly
_STARTS = (0.1, 0.2, 0.35, 0.6, 1.0, 2.0)  # of both exponents
_KEPT = 4  # best starts
_LEAST_TERM = 1e-3  # of a start, as a share of the loss
_ROUNDS = 300
_NEAR, _ARRIVED = 1e-6, 1e-13  # relative gain below which a fit is near its end, and has arrived
_STUCK = 1e10  # damping above which no step gains anything

_TOGETHER = 500  # places that are predicted at once: memory grows with their square
_NAMES = ("E", "A", "B", "alpha", "beta")
_NOTHING = 1e-6  # share of the least loss below which E is shown as 0: fitted as a logarithm, it never is


@dataclass(frozen=True)
class Surface:
    """A fitted law; E is the loss at unlimited size and data, `loss` the sum of Huber's loss at the optimum."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    loss: float
    runs: "Losses" = field(repr=False, compare=False)

    @property
    def exponents(self) -> tuple[float, float]:
        """The exponents of the compute-optimal N and D in C; their sum is 1."""
        both = self.alpha + self.beta
        return self.beta / both, self.alpha / both

    def predict(self, N: ArrayLike, D: ArrayLike) -> Floats:
        """The loss at sizes N and data D, which may be whole numbers of any length and broadcast.

        Raises Refused for numbers that are not finite and above 0.
        """
        return self.E + self.A * amounts("N", N) ** -self.alpha + self.B * amounts("D", D) ** -self.beta

    def expected(self, N: ArrayLike, D: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """The loss that a new run of size N and data D is expected to end at, and both ends of its 90 % interval.

        They hold noise and what the law misses, as `scalectl predict --params --data` does, whose predictor answers:
        the loss is near that of `predict`, and not the same. Raises Refused as `predict` does.
        """
        sizes, data = np.broadcast_arrays(amounts("N", N), amounts("D", D))
        places_M3 = _places(np.log(sizes.ravel()), np.log(data.ravel()))
        blocks = np.array_split(places_M3, 1 + len(places_M3) // _TOGETHER)
        found = [(outlook.mean, *outlook.ends) for outlook in map(self._forecast.at, blocks)]
        loss, low, high = (np.concatenate(part).reshape(sizes.shape) for part in zip(*found, strict=True))
        return loss, low, high

    @cached_property
    def _forecast(self) -> Forecast:
        """What the runs say of others, by the predictor of `scalectl predict --params --data`."""
        log_n, log_d, log_l = self.runs.logs
        runs = pd.DataFrame({"run": np.arange(len(log_n)), "flops": np.exp(log_n + log_d), "loss": np.exp(log_l)})
        order = in_order(runs, "loss", "flops")["run"].to_numpy()
        places_N3 = _places(log_n[order], log_d[order])
        return Forecast.of(places_N3, np.exp(log_l[order]), self.runs.trunks[order])

    def optimal(self, C: ArrayLike, flops: float = FLOPS) -> tuple[Floats, Floats]:
        """The N and D of least loss at training compute C = `flops` N D; raises Refused as `predict` does."""
        exponent_N, exponent_D = self.exponents
        lean = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        product = amounts("C", C) / amounts("flops", flops)
        return lean * product**exponent_N, product**exponent_D / lean

    def draws(self, n: int, seed: int = 0) -> Floats:
        """E, A, B, alpha and beta [n, 5] of `n` draws of the runs, each fitted from where the first fit ended.

        Runs of one trunk are drawn together. Raises Refused for what is no whole number.
        """
        n, seed = whole("n", n), whole("seed", seed)
        return _redrawn(self.runs, np.array(self._values()), n, seed)

    def bootstrap(self, n: int = 200, seed: int = 0) -> dict[str, tuple[float, float]]:
        """90 % intervals of E, A, B, alpha, beta and the two exponents from `n` draws of the runs.

        The runs are drawn with replacement and each draw is fitted from where the first fit ended; the same seed gives
        the same intervals. Raises Refused without draws.
        """
        whole("n", n, least=1)
        drawn = dict(zip(_NAMES, self.draws(n, seed).T, strict=True))
        exponent_N = drawn["beta"] / (drawn["alpha"] + drawn["beta"])
        drawn |= {"N_exponent": exponent_N, "D_exponent": 1 - exponent_N}
        ends = np.quantile(list(drawn.values()), ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=1)
        return {name: (float(low), float(high)) for name, low, high in zip(drawn, *ends, strict=True)}

    def __str__(self) -> str:
        size, data = self.exponents
        lines = [f"{FORMULA} · {len(self.runs.log_l)} runs", ""]
        lines += [f"  {name:<7}{number}" for name, number in self._rows()]
        return "\n".join([*lines, "", f"  least loss at a compute: N ~ C^{size:.3g}, D ~ C^{data:.3g}"])

    def _repr_html_(self) -> str:
        size, data = self.exponents
        note = f"least loss at a compute: N ~ C^{size:.3g}, D ~ C^{data:.3g}"
        return html_table(f"{FORMULA} · {len(self.runs.log_l)} runs", ("parameter", "value"), self._rows(), [note])

    def _rows(self) -> Iterator[tuple[str, str]]:
        no_floor = self.E / np.exp(min(self.runs.log_l)) < _NOTHING
        for name, number in zip(_NAMES, self._values(), strict=True):
            yield name, "0" if name == "E" and no_floor else f"{number:.4g}"

    def _values(self) -> tuple[float, ...]:
        return self.E, self.A, self.B, self.alpha, self.beta


def fit_surface(
    N: ArrayLike, D: ArrayLike, L: ArrayLike, *, trunks: ArrayLike | None = None, tied: bool | None = None
) -> Surface:
    """The law of losses L of models of N parameters trained on D tokens or images, one run each.

    Runs of equal `trunks` share noise, as branches of one training run do; without it none does. With `tied` both
    exponents are one, which is the default for 6 runs. Raises Refused below 7 runs, or 6 where tied,
    for numbers that are not finite and above 0, for runs of one or two model sizes or amounts of data, where tied of
    two of both, for runs on one line of the two, and where an exponent has no optimum within its bounds.
    """
    n_N, d_N, l_N = three_lists(N, D, L)
    if tied is None:
        tied = n_N.size == LEAST_TIED
    carries(n_N, d_N, tied=tied)
    losses = Losses.of_runs(n_N, d_N, l_N, tied, numbered(trunks, len(n_N)))
    (E, A, B, alpha, beta), loss = _best(losses)
    for name, exponent in (("alpha", alpha), ("beta", beta)):
        if not EXPONENTS[0] < exponent < EXPONENTS[1]:
            raise Refused(f"{name} runs off to its bound {exponent:g}; the losses don't follow the law.")
    return Surface(float(E), float(A), float(B), float(alpha), float(beta), loss, losses)


@dataclass(frozen=True)
class Losses:
    """Runs in logarithms relative to their middle, so that no unit matters."""

    log_n: Floats  # [N], as are the others
    log_d: Floats
    log_l: Floats
    middle: tuple[float, float, float]  # means of log N, log D and log L
    tied: bool  # both exponents are one
    trunks: NDArray[np.int64]  # the same for runs that share noise

    @property
    def logs(self) -> tuple[Floats, Floats, Floats]:
        """log N, log D and log L."""
        n, d, level = self.middle
        return self.log_n + n, self.log_d + d, self.log_l + level

    @staticmethod
    def of_runs(n_N: Floats, d_N: Floats, l_N: Floats, tied: bool, trunks_N: NDArray[np.int64]) -> "Losses":
        """The runs of sizes, data and losses above 0."""
        logs = [np.log(values) for values in (n_N, d_N, l_N)]
        middle = [float(values.mean()) for values in logs]
        log_n, log_d, log_l = (values - mean for values, mean in zip(logs, middle, strict=True))
        return Losses(log_n, log_d, log_l, (middle[0], middle[1], middle[2]), tied, trunks_N)

    def laws(self, coords_BP: Floats) -> Floats:
        """E, A, B, alpha and beta [B, 5] of the solver's parameters."""
        log_e, log_a, log_b, alpha, beta = coords_BP.T
        n, d, level = self.middle
        terms = [log_e + level, log_a + level + alpha * n, log_b + level + beta * d]
        return np.stack([*map(np.exp, terms), alpha, beta], axis=1)

    def parameters(self, law_BP: Floats) -> Floats:
        """The solver's parameters [B, 5] of E, A, B, alpha and beta."""
        (log_e, log_a, log_b), (alpha, beta) = np.log(law_BP[:, :3]).T, law_BP[:, 3:].T
        n, d, level = self.middle
        return np.stack([log_e - level, log_a - level - alpha * n, log_b - level - beta * d, alpha, beta], axis=1)


def _places(log_n: Floats, log_d: Floats) -> Floats:
    """Positions [N, 3] as the predictor has them, where compute per token is a multiple of N and all data are new."""
    return np.stack([log_n, log_d, np.zeros_like(log_n)], axis=1)


def _best(runs: Losses) -> tuple[Floats, float]:
    """E, A, B, alpha and beta of the least Huber loss, and that loss."""
    starts_BP = _starts(runs)
    once_BN = np.ones((len(starts_BP), len(runs.log_l)))
    near_BP, cost_B = _solve(runs, once_BN, starts_BP, _NEAR)
    coords_BP, cost_B = _solve(runs, once_BN[:1], near_BP[[cost_B.argmin()]], _ARRIVED)
    return runs.laws(coords_BP)[0], float(cost_B[0])


def _redrawn(runs: Losses, law_P: Floats, number: int, seed: int) -> Floats:
    """E, A, B, alpha and beta [B, 5] of `number` draws of the trunks with replacement, each from `law_P`."""
    count = int(runs.trunks.max()) + 1
    times_BT = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=number).astype(float)
    times_BN = times_BT[:, runs.trunks]
    start_BP = np.tile(runs.parameters(law_P[None]), (number, 1))
    return runs.laws(_solve(runs, times_BN, start_BP, _NEAR)[0])


def _starts(runs: Losses) -> Floats:
    """The best starts [B, P] of a grid of exponents: the terms of least squares of L relative to L itself."""
    starts = []
    for alpha, beta in product(_STARTS, _STARTS):
        if alpha == beta or not runs.tied:
            terms_N3 = np.stack([0 * runs.log_n, -alpha * runs.log_n, -beta * runs.log_d], axis=1)
            size_3, off = nnls(np.exp(terms_N3 - runs.log_l[:, None]), np.ones(len(runs.log_l)))
            starts.append((off, *np.log(np.maximum(size_3, _LEAST_TERM)), alpha, beta))
    return np.array(sorted(starts)[:_KEPT])[:, 1:]


def _solve(runs: Losses, weight_BN: Floats, start_BP: Floats, arrived: float) -> tuple[Floats, Floats]:
    """The parameters [B, P] and cost [B] of every fit, each going down from its start."""
    coords_BP, cost_B = start_BP.copy(), _cost(runs, weight_BN, start_BP)
    damping_B = np.full(len(coords_BP), 1e-2)
    going = np.arange(len(coords_BP))
    for _ in range(_ROUNDS):
        old_BP, old_B, weights = coords_BP[going], cost_B[going], weight_BN[going]
        new_BP = old_BP + _step(runs, weights, old_BP, damping_B[going])
        new_BP[:, 3:] = np.clip(new_BP[:, 3:], *EXPONENTS)
        new_B = _cost(runs, weights, new_BP)
        gained_B = new_B < old_B
        coords_BP[going[gained_B]], cost_B[going[gained_B]] = new_BP[gained_B], new_B[gained_B]
        damping_B[going] = np.maximum(damping_B[going] * np.where(gained_B, 0.2, 5.0), 1e-12)
        arrived_B = gained_B & (old_B - new_B <= arrived * old_B)
        going = going[~(arrived_B | (damping_B[going] > _STUCK))]
        if not going.size:
            break
    return coords_BP, cost_B


def _terms(runs: Losses, coords_BP: Floats) -> tuple[Floats, Floats]:
    """Residuals in log L [B, N] and the share of each term in the predicted loss [3, B, N]."""
    log_e, log_a, log_b, alpha, beta = coords_BP.T[:, :, None]
    logs = np.stack(np.broadcast_arrays(log_e, log_a - alpha * runs.log_n, log_b - beta * runs.log_d))
    highest_BN = logs.max(axis=0)
    shares = np.exp(logs - highest_BN)
    total_BN = shares.sum(axis=0)
    return highest_BN + np.log(total_BN) - runs.log_l, shares / total_BN


def _cost(runs: Losses, weight_BN: Floats, coords_BP: Floats) -> Floats:
    off_BN = np.abs(_terms(runs, coords_BP)[0])
    loss_BN = np.where(off_BN <= _DELTA, off_BN**2 / 2, _DELTA * (off_BN - _DELTA / 2))
    return np.asarray((weight_BN * loss_BN).sum(axis=1))


def _step(runs: Losses, weight_BN: Floats, coords_BP: Floats, damping_B: Floats) -> Floats:
    """The damped Gauss-Newton step."""
    off_BN, (e_BN, a_BN, b_BN) = _terms(runs, coords_BP)
    weight_BN = weight_BN * np.minimum(1, _DELTA / np.maximum(np.abs(off_BN), 1e-300))
    slope_BNP = np.stack([e_BN, a_BN, b_BN, -a_BN * runs.log_n, -b_BN * runs.log_d], axis=2)
    weighted_BPN = np.swapaxes(slope_BNP * weight_BN[:, :, None], 1, 2)
    normal_BPP = weighted_BPN @ slope_BNP
    pull_BP1 = weighted_BPN @ off_BN[:, :, None]
    free_PF = np.eye(coords_BP.shape[1])
    if runs.tied:
        free_PF = np.concatenate([free_PF[:, :3], free_PF[:, 3:].sum(axis=1, keepdims=True)], axis=1)
    normal_BFF = free_PF.T @ normal_BPP @ free_PF
    size_BF = np.einsum("bff->bf", normal_BFF)
    normal_BFF = normal_BFF + np.eye(free_PF.shape[1]) * (damping_B[:, None] * size_BF + 1e-14)[:, None, :]
    return -(free_PF @ np.linalg.solve(normal_BFF, free_PF.T @ pull_BP1))[:, :, 0]
