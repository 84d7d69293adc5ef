"""The published active choice of runs (arXiv 2604.22753; settings of PlanarG/active-sl), for benchmarks/suggest.py.

The law is E + A m^-a + B S^-b + G U^-c of those axes that vary, fitted by least squares from many starts. Fits that
say nearly the same of the target are one basin; each is a Gaussian of the parameters, and basins weigh by BIC. The mean
squared error of predictions at the target is then what is unknown within basins and what they disagree in:

    sum_k w_k trace(J_k S_k J_k^T) + sum_k w_k |f_k - sum_l w_l f_l|^2

The next run is the one that is expected to take most of it, over its cost to the power of 0.4. Every result is used
before the next choice.

Letters of shapes: C candidates, K basins, M places of the target, N runs, P parameters, S starts, X axes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

Floats = NDArray[np.float64]

COST_POWER = 0.4  # these four are figures of the published way
STARTS, AS_GOOD = 64, 1.5  # fits with up to that much of the least squared error
NOISE_PRIOR = 2.0  # shape of the inverse gamma prior of the noise, whose scale is that times the variance of the errors
LEAST_WEIGHT = 1e-3  # of a basin

SIZES, EXPONENTS = (1e-3, 10.0), (0.05, 2.0)  # of a term at the middle of the runs, in their mean error
STEPS, EXACT = 60, 1e-6  # of a fit; what no error is below, in the mean one
NODES, HEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class Law:
    """Bounds [P] of E and, for each axis that varies, of the logarithms of size and exponent."""

    middle: Floats
    varied: NDArray[np.bool_]
    scale: float  # the mean error
    low: Floats
    high: Floats

    @staticmethod
    def of(every_NX: Floats, error_N: Floats) -> "Law":
        varied, scale = np.ptp(every_NX, axis=0) > 0, float(np.exp(np.log(error_N).mean()))
        ends = np.log(np.array([SIZES, EXPONENTS]))[:, None] * np.ones((2, int(varied.sum()), 1))
        low, high = (np.append(end, ends[..., n].ravel()) for n, end in enumerate((0.0, 2.0)))
        return Law(every_NX.mean(axis=0), varied, scale, low, high)

    def values(self, theta_SP: Floats, x_NX: Floats) -> tuple[Floats, Floats]:
        """Errors [S, N] in the mean one, and their slopes [S, N, P]."""
        far_NX = (x_NX - self.middle)[:, self.varied]
        size_SX, exponent_SX = np.split(theta_SP[:, 1:], 2, axis=1)
        along_SNX = np.exp(exponent_SX)[:, None] * far_NX
        term_SNX = np.exp(size_SX[:, None] - along_SNX)
        slope = np.concatenate([np.ones_like(term_SNX[..., :1]), term_SNX, -along_SNX * term_SNX], axis=2)
        return theta_SP[:, :1] + term_SNX.sum(axis=2), slope

    def starts(self, random: np.random.Generator, count: int) -> Floats:
        return random.uniform(self.low, self.high, (count, len(self.low)))

    def fits(self, theta_SP: Floats, x_NX: Floats, error_N: Floats) -> tuple[Floats, Floats]:
        """Where least squares lead from each start, within the bounds, and the mean squared error there [S]."""
        y_N, damping_S = error_N / self.scale, np.full(len(theta_SP), 1e-2)
        value_SN, slope_SNP = self.values(theta_SP, x_NX)
        loss_S = ((value_SN - y_N) ** 2).mean(axis=1)
        for _ in range(STEPS):
            pull_SP = np.einsum("snp,sn->sp", slope_SNP, y_N - value_SN)
            free_SP = ~(((theta_SP <= self.low) & (pull_SP < 0)) | ((theta_SP >= self.high) & (pull_SP > 0)))
            normal_SPP = np.swapaxes(slope_SNP, 1, 2) @ slope_SNP * (free_SP[:, None] & free_SP[:, :, None])
            own_SP = np.einsum("spp->sp", normal_SPP)
            added_SP = damping_S[:, None] * (own_SP + 1e-9 * own_SP.max(axis=1, keepdims=True)) + ~free_SP + 1e-300
            damped_SPP = normal_SPP + added_SP[..., None] * np.eye(len(self.low))
            step_SP1 = np.linalg.solve(damped_SPP, (pull_SP * free_SP)[..., None])
            tried_SP = np.clip(theta_SP + step_SP1[..., 0], self.low, self.high)
            value_tried, slope_tried = self.values(tried_SP, x_NX)
            loss_tried = ((value_tried - y_N) ** 2).mean(axis=1)
            better_S = loss_tried < loss_S
            damping_S = np.clip(np.where(better_S, damping_S / 5, damping_S * 4), 1e-9, 1e9)
            theta_SP = np.where(better_S[:, None], tried_SP, theta_SP)
            value_SN = np.where(better_S[:, None], value_tried, value_SN)
            slope_SNP = np.where(better_S[:, None, None], slope_tried, slope_SNP)
            loss_S = np.where(better_S, loss_tried, loss_S)
        return theta_SP, loss_S


@dataclass(frozen=True)
class Basins:
    """Gaussians of the parameters: weights [K], middles [K, P], covariances [K, P, P]; the variance of the noise."""

    weight: Floats
    theta: Floats
    covariance: Floats
    noise: float

    @staticmethod
    def of(law: Law, theta_SP: Floats, loss_S: Floats, x_NX: Floats, spread: float, target_MX: Floats) -> "Basins":
        good = loss_S <= AS_GOOD * max(loss_S.min(), EXACT**2)
        theta_SP, loss_S, count = theta_SP[good], np.maximum(loss_S[good], EXACT**2), len(x_NX)
        noise = (NOISE_PRIOR * spread + count * loss_S.min() / 2) / (NOISE_PRIOR + count / 2 - 1)
        slope_SNP = law.values(theta_SP, x_NX)[1]
        prior_P = ((law.high - law.low) / 4) ** -2.0
        covariance = np.linalg.inv(np.swapaxes(slope_SNP, 1, 2) @ slope_SNP / noise + np.diag(prior_P))
        mean_SM, slope_SMP = law.values(theta_SP, target_MX)
        variance_SM = np.einsum("smp,spq,smq->sm", slope_SMP, covariance, slope_SMP) + noise
        first = _first_of_each(_groups(mean_SM, variance_SM), loss_S)
        weight = (loss_S[first] / loss_S.min()) ** (-count / 2)
        kept = weight > LEAST_WEIGHT * weight.sum()
        first, weight = first[kept], weight[kept]
        return Basins(weight / weight.sum(), theta_SP[first], covariance[first], noise)

    def takes(self, law: Law, x_CX: Floats, target_MX: Floats) -> Floats:
        """What measuring each candidate is expected to take of the squared error at the target [C]."""
        mean_KC, slope_KCP = law.values(self.theta, x_CX)
        mean_KM, slope_KMP = law.values(self.theta, target_MX)
        lean_KCP = slope_KCP @ self.covariance
        across_KMC = slope_KMP @ np.swapaxes(lean_KCP, 1, 2)
        variance_KC = (lean_KCP * slope_KCP).sum(axis=2) + self.noise
        within_C = np.einsum("k,kmc,kc->c", self.weight, across_KMC**2, 1 / variance_KC)
        if len(self.weight) == 1:
            return within_C
        now = _disagreement(self.weight[:, None], mean_KM[..., None])[0]
        after_C = self._after(mean_KC, np.sqrt(variance_KC), mean_KM, across_KMC / variance_KC[:, None])
        return within_C + np.maximum(now - after_C, 0.0)

    def _after(self, mean_KC: Floats, deviation_KC: Floats, mean_KM: Floats, gain_KMC: Floats) -> Floats:
        """The disagreement that is expected once the candidate is measured [C], over what each basin foresees."""
        found_C = np.zeros(mean_KC.shape[1])
        for weight, mean_C, deviation_C in zip(self.weight, mean_KC, deviation_KC, strict=True):
            for node, height in zip(NODES, HEIGHTS / HEIGHTS.sum(), strict=True):
                off_KC = mean_C + node * deviation_C - mean_KC
                log_KC = np.log(self.weight)[:, None] - (off_KC / deviation_KC) ** 2 / 2 - np.log(deviation_KC)
                then_KC = np.exp(log_KC - log_KC.max(axis=0))
                moved_KMC = mean_KM[..., None] + gain_KMC * off_KC[:, None]
                found_C += weight * height * _disagreement(then_KC / then_KC.sum(axis=0), moved_KMC)
        return found_C


def _disagreement(weight_KC: Floats, mean_KMC: Floats) -> Floats:
    middle_MC = np.einsum("kc,kmc->mc", weight_KC, mean_KMC)
    return np.einsum("kc,kmc->c", weight_KC, (mean_KMC - middle_MC) ** 2)


def _groups(mean_SM: Floats, variance_SM: Floats) -> NDArray[np.int64]:
    """The group of each fit: near in symmetric Kullback-Leibler divergence, as many as have the best silhouette."""
    alone = np.ones(len(mean_SM), np.int64)
    if len(mean_SM) < 3:
        return np.arange(len(mean_SM))
    ratio = variance_SM[:, None] / variance_SM
    apart = (mean_SM[:, None] - mean_SM) ** 2 * (1 / variance_SM[:, None] + 1 / variance_SM)
    near_SS = np.log1p(((ratio + 1 / ratio - 2 + apart) / 4).mean(axis=2))
    near_SS = (near_SS + near_SS.T) / 2 * ~np.eye(len(near_SS), dtype=bool)
    tree = linkage(squareform(near_SS, checks=False), "complete")
    cuts = [fcluster(tree, height + 1e-10, "distance") for height in np.unique(tree[:, 2])]
    scored = [(_silhouette(near_SS, cut), cut) for cut in cuts if 1 < cut.max() < len(cut)]
    best = max(scored, key=lambda one: one[0], default=(0.0, alone))
    if best[0] < 0.01:
        return alone
    return best[1]


def _silhouette(near_SS: Floats, group_S: NDArray[np.int64]) -> float:
    member_SG = (group_S[:, None] == np.unique(group_S)).astype(float)
    count_G, total_SG = member_SG.sum(axis=0), near_SS @ member_SG
    own_S = (total_SG * member_SG).sum(axis=1) / np.maximum(member_SG @ count_G - 1, 1)
    other_S = np.where(member_SG > 0, np.inf, total_SG / count_G).min(axis=1)
    score_S = (other_S - own_S) / np.maximum(np.maximum(own_S, other_S), 1e-300)
    return float(np.where(member_SG @ count_G > 1, score_S, 0.0).mean())


def _first_of_each(group_S: NDArray[np.int64], loss_S: Floats) -> NDArray[np.int64]:
    order = np.argsort(loss_S, kind="stable")
    return order[np.unique(group_S[order], return_index=True)[1]]


def published(
    at_NX: Floats, error_N: Floats, cost_N: Floats, begun: list[int], left: float, target_MX: Floats, seed: int
) -> list[int]:
    """The runs that are taken one after the other from N of them, beside those begun, while one can be paid."""
    law, random = Law.of(np.concatenate([at_NX, target_MX]), error_N[begun]), np.random.default_rng(seed)
    taken, warm = list(begun), np.empty((0, len(law.low)))
    while len(pool := np.setdiff1d(np.flatnonzero(cost_N <= left), taken)):
        starts = np.concatenate([warm, law.starts(random, STARTS - len(warm))])
        theta_SP, loss_S = law.fits(starts, at_NX[taken], error_N[taken])
        warm = np.concatenate([theta_SP[[loss_S.argmin()]], warm])[: STARTS // 2]
        basins = Basins.of(law, theta_SP, loss_S, at_NX[taken], float(np.var(error_N[taken] / law.scale)), target_MX)
        worth_C = basins.takes(law, at_NX[pool], target_MX) / cost_N[pool] ** COST_POWER
        best = int(pool[worth_C.argmax()])
        taken.append(best)
        left -= cost_N[best]
    return taken


def predicted(at_NX: Floats, error_N: Floats, new_MX: Floats, seed: int) -> Floats:
    """The errors at new places [M] by the law that fits these runs best."""
    law = Law.of(np.concatenate([at_NX, new_MX]), error_N)
    theta_SP, loss_S = law.fits(law.starts(np.random.default_rng(seed), STARTS), at_NX, error_N)
    return law.scale * law.values(theta_SP[[loss_S.argmin()]], new_MX)[0][0]
