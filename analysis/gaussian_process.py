"""A saturating law with smooth departures and noise: a Gaussian process in log-log coordinates, integrated over laws.

    log y = level + log(f + (1 - f) ((x^k + d^k) / (x_end^k + d^k))^(-b/k)) + departures + noise

for each law of a coarse grid of exponent b, offset d, sharpness k of the bend at d, and floor f as a share of y at the
end. Departures are an Ornstein-Uhlenbeck process in log x. The further a point lies before the end, the larger its
departures and noise may be, so that the law has to hold most where it is needed. Level and size of the noise are
integrated in closed form. Where points are means of several measurements, the scatter of these tells the noise, too.

Letters of shapes: K kernels, L laws, P pairs of the two, N points, M places that are asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Floats = NDArray[np.float64]

_EXPONENTS = np.geomspace(0.12, 1.8, 6)
_EXPONENT, _SPREAD = 0.4, 0.8  # log-normal prior: median and standard deviation of the logarithm
_FLOORS = (0.1, 0.35, 0.6, 0.8, 0.92, 0.98)
_BENDS = ((-np.inf, 1.0), (0.15, 1.0), (0.15, 2.0), (0.45, 1.0), (0.45, 2.0))  # log d as a share of the range; k
_SIZES = (1.0, 10.0, 100.0)  # variance of the departures in that of the noise of a measurement
_SMALL = (0.01, 0.1)  # sizes that only many measurements in a point can tell
_USUAL, _UNUSUAL = 1.0, 1.1  # log-normal prior of that: median and standard deviation of the logarithm
_LENGTHS = (1.0, 4.0)  # of the departures, in log x
_MEMORY = 3.0  # log x before the end over which the variance grows by a factor of e
_GROWS, _STAYS = 1.0, 0.0  # the variance of the noise, with that of the departures
_NEGLIGIBLE = 1e-9  # weight of a law
_PRIOR_COUNT, _PRIOR_NOISE = 2.0, 3e-3  # points that the prior of the noise is worth; its standard deviation


@dataclass(frozen=True)
class Curve:
    """Points of a curve relative to its last one, in natural logarithms, so that no unit matters."""

    t: Floats  # log x less that of the last point: rising to 0 [N]
    v: Floats  # log y less that of the last point [N]
    count: Floats  # of measurements in each point [N]
    squares: Floats  # sum of the squares of these measurements around their mean, or their line [N]
    spare: Floats  # its degrees of freedom [N]
    running_best: float  # how likely it is one, from 0 to 1


@dataclass(frozen=True)
class Forecast:
    """Mean and variance of log y of a new measurement, relative to the last point."""

    mean: Floats
    variance: Floats
    evidence: float = 0.0  # logarithm of the probability of the points, up to a constant of their number


@dataclass(frozen=True)
class _Kernels:
    """What a Gaussian process needs, in the variance of the noise, for each size, length and growth of the noise."""

    root: Floats  # Cholesky root of the covariance of the points [K, N, N]
    across: Floats  # their covariance with the places [K, N, M]
    alone: Floats  # the variance of a new measurement at the places alone [K, M]
    squares: Floats  # of measurements within the points, in the noise there [K]
    volume: Floats  # logarithm of the noise of these measurements, for each degree of freedom [K]
    log_prior: Floats  # of the size [K]


def forecast(curve: Curve, t_M: Floats) -> Forecast:
    """The forecast at log x `t_M` relative to the last point, in the range of the points or out of it."""
    points = len(curve.t)
    laws_LX, prior_L = _laws(np.append(curve.t, t_M), max(-curve.t[0], 1.0))
    laws_LN, laws_LM = laws_LX[:, :points], laws_LX[:, points:]
    kernels = _kernels(curve, t_M)

    known_NX = np.concatenate([np.ones((points, 1)), (curve.v - laws_LN).T], axis=1)
    known_KNX = np.broadcast_to(known_NX, (len(kernels.root), *known_NX.shape))
    white = np.linalg.solve(kernels.root, np.concatenate([known_KNX, kernels.across], axis=2))
    ones_KN, off_KNL, across_KNM = white[:, :, 0], white[:, :, 1 : 1 + len(laws_LN)], white[:, :, 1 + len(laws_LN) :]

    level_KL, weight_KL, noise_K, evidence = _weighed(ones_KN, off_KNL, kernels, prior_L, curve.spare.sum())
    unknown_KM = 1 - np.einsum("kn,knm->km", ones_KN, across_KNM)
    alone_KM = kernels.alone + unknown_KM**2 / (ones_KN**2).sum(axis=1)[:, None] - (across_KNM**2).sum(axis=1)
    some_L = weight_KL.max(axis=0) > _NEGLIGIBLE
    off_KNL = off_KNL[:, :, some_L] - ones_KN[:, :, None] * level_KL[:, None, some_L]
    mean_KLM = np.swapaxes(off_KNL, 1, 2) @ across_KNM + level_KL[:, some_L, None] + laws_LM[some_L]
    weight_P = weight_KL[:, some_L].ravel()
    mean_PM = mean_KLM.reshape(len(weight_P), -1)
    mean_M = weight_P @ mean_PM / weight_P.sum()
    return Forecast(mean_M, noise_K @ alone_KM + weight_P @ (mean_PM - mean_M) ** 2, evidence)


def _weighed(
    ones_KN: Floats, off_KNL: Floats, kernels: _Kernels, prior_L: Floats, spare: float
) -> tuple[Floats, Floats, Floats, float]:
    """Level [K, L] and posterior weight [K, L] of each pair, the weighted variance of the noise [K], and the evidence.

    Ones and residuals come divided by the root. The level has a flat prior, the variance an inverse gamma one.
    """
    precision_K1 = (ones_KN**2).sum(axis=1)[:, None]
    level_KL = np.einsum("kn,knl->kl", ones_KN, off_KNL) / precision_K1
    squares_KL = ((off_KNL - ones_KN[:, :, None] * level_KL[:, None]) ** 2).sum(axis=1)
    squares_KL += kernels.squares[:, None] + _PRIOR_COUNT * _PRIOR_NOISE**2
    freedom = ones_KN.shape[1] - 1 + spare + _PRIOR_COUNT
    volume_KN = np.log(np.diagonal(kernels.root, axis1=1, axis2=2))
    volume_K1 = (volume_KN.sum(axis=1) + kernels.volume)[:, None] + np.log(precision_K1) / 2
    evidence_KL = prior_L - volume_K1 - freedom / 2 * np.log(squares_KL)
    weight_KL = np.asarray(softmax(evidence_KL + kernels.log_prior[:, None]), np.float64)
    evidence = float(logsumexp(evidence_KL))  # without the prior of sizes, or too much would be told by small misfits
    return level_KL, weight_KL, (weight_KL * squares_KL).sum(axis=1) / max(freedom - 2, 1), evidence


def _kernels(curve: Curve, t_M: Floats) -> _Kernels:
    """The kernels of the grid; where measurements within points show how noisy they are, noise may grow or not."""
    sizes, powers = [*_SIZES], [_GROWS]
    if curve.spare.any():
        sizes, powers = [*_SMALL, *_SIZES], [_GROWS, _STAYS]
    size_K11, length_K11, power_K11 = (grid.reshape(-1, 1, 1) for grid in np.meshgrid(sizes, _LENGTHS, powers))
    growth_N, growth_M = (np.exp(-np.minimum(t, 0) / _MEMORY / 2) for t in (curve.t, t_M))
    noise_KN, noise_KM = (growth ** power_K11[:, 0] for growth in (growth_N, growth_M))

    def covariance(t: Floats, growth: Floats) -> Floats:
        close = np.exp(-np.abs(curve.t[:, None] - t) / length_K11)
        return np.asarray(size_K11 * close * growth_N[:, None] * growth)

    noise_KNN = np.eye(len(curve.t)) * (noise_KN**2 / curve.count)[:, None]
    root_KNN = np.asarray(np.linalg.cholesky(covariance(curve.t, growth_N) + noise_KNN), np.float64)
    alone_KM = np.asarray(noise_KM**2 + size_K11[:, 0] * growth_M**2, np.float64)
    within_K, volume_K = (curve.squares / noise_KN**2).sum(axis=1), np.log(noise_KN) @ curve.spare
    prior_K = -((np.log(size_K11[:, 0, 0] / _USUAL) / _UNUSUAL) ** 2) / 2
    return _Kernels(root_KNN, covariance(t_M, growth_M), alone_KM, within_K, volume_K, prior_K)


def _laws(t_N: Floats, span: float) -> tuple[Floats, Floats]:
    """log y of each law of the grid [L, N], 0 at the end, and the logarithm of its prior [L]."""
    far_BN = np.array([_bent(t_N, span, *bend) for bend in _BENDS])[:, None, None]
    exponent_E11, floor_F1 = _EXPONENTS[:, None, None], np.array(_FLOORS)[:, None]
    laws_BEFN = np.logaddexp(np.log(floor_F1), np.log1p(-floor_F1) - exponent_E11 * far_BN)
    prior_E1 = -((np.log(_EXPONENTS / _EXPONENT) / _SPREAD) ** 2)[:, None] / 2
    return laws_BEFN.reshape(-1, len(t_N)), np.broadcast_to(prior_E1, laws_BEFN.shape[:3]).ravel()


def _bent(t_N: Floats, span: float, share: float, sharpness: float) -> Floats:
    """log x, 0 at the end, that stops falling with x below an offset at that share of the range."""
    offset = sharpness * span * (share - 1)
    return (np.logaddexp(sharpness * t_N, offset) - np.logaddexp(0, offset)) / sharpness
