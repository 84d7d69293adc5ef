"""What the runs so far say of runs that are not there yet: their errors, and how these hang together.

The error of a run is taken as E + A m^-alpha + B S^-beta + G U^-gamma for compute per image m, images seen S and
distinct images U, times a smooth departure and noise. At given exponents that is linear, so E, A, B and G are
integrated in closed form; exponents and sizes of departure lie on a grid, where each weighs what the runs give it.

Letters of shapes: K triples of exponents, N runs, M places that are asked for, P terms.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from scalectl.analysis.law import Floats

_EXPONENTS = tuple(np.geomspace(0.12, 1.0, 8))
_SPREAD = 1.0  # standard deviation of each term at the middle of the runs before they are seen, in their mean error
_RELATIVE = ((0.003, 0.003), (0.01, 0.005), (0.02, 0.01), (0.05, 0.02), (0.1, 0.03))  # departure and noise
_LENGTH = 2.0  # of a departure, in each logarithm
_LIGHT = 1e-3  # weight, in that of the heaviest, below which a law is left out
_LEAST = 1e-3  # of the mean error, below which no law predicts


@dataclass(frozen=True, eq=False)
class Outlook:
    """Errors at M places; `covariance` [M, M] is of what is not known of their logarithms, `noise` of a reading."""

    mean: Floats
    covariance: Floats
    noise: float


def positions(runs: pd.DataFrame, x: str) -> Floats:
    """log compute per image, log images seen and log distinct images [N, 3]; without the last, one for all."""
    seen = runs["images_seen"].to_numpy(float)
    unique = np.ones(len(runs))
    if "data_size" in runs:
        unique = runs["data_size"].to_numpy(float)
    return np.log(np.stack([runs[x].to_numpy(float) / seen, seen, unique], axis=1))


def outlook(known_N3: Floats, error_N: Floats, new_M3: Floats) -> Outlook:
    """What runs at these positions with errors above 0 say of new positions."""
    varied_3 = np.ptp(np.concatenate([known_N3, new_M3]), axis=0) > 0
    exponents_K3 = np.array(list(product(*map(_exponents, varied_3))))
    terms = _Terms(known_N3.mean(axis=0), np.append(True, varied_3), exponents_K3)
    scale = float(np.exp(np.log(error_N).mean()))
    laws = [_Laws.given(terms, scale, known_N3, error_N, *relative) for relative in _RELATIVE]
    heaviest = max(law.log_evidence.max() for law in laws)
    weights = [np.exp(law.log_evidence - heaviest) for law in laws]
    weights = [np.where(weight_K < _LIGHT, 0.0, weight_K) for weight_K in weights]
    total = sum(weight_K.sum() for weight_K in weights)
    parts = [
        law.errors(new_M3, weight_K > 0, weight_K[weight_K > 0] / total)
        for law, weight_K in zip(laws, weights, strict=True)
        if weight_K.any()
    ]
    mean_M = sum(weight_k @ mean_kM for weight_k, mean_kM, _ in parts)
    covariance = sum(within for *_, within in parts)
    for weight_k, mean_kM, _ in parts:
        off_kM = mean_kM / mean_M - 1
        covariance = covariance + (weight_k[:, None] * off_kM).T @ off_kM
    noise = sum(weight_K.sum() / total * law.noise**2 for law, weight_K in zip(laws, weights, strict=True))
    return Outlook(np.asarray(mean_M), np.asarray(covariance), float(noise))


def _exponents(varied: bool) -> tuple[float, ...]:
    """The exponents of a term; one that is the same everywhere needs none."""
    if varied:
        return _EXPONENTS
    return (0.0,)


@dataclass(frozen=True)
class _Terms:
    """The terms of the laws, each 1 at the middle of the runs."""

    middle_3: Floats
    used_4: Floats  # a term that is the same for all runs and places is none
    exponents: Floats  # [K, 3]

    def values(self, x_M3: Floats, kept_K: Floats | slice = slice(None)) -> Floats:
        """The terms [K, M, P] at positions."""
        powers = np.exp(-self.exponents[kept_K][:, None, :] * (x_M3 - self.middle_3))
        return np.concatenate([np.ones_like(powers[:, :, :1]), powers], axis=2)[:, :, self.used_4]


@dataclass(frozen=True, eq=False)
class _Laws:
    """The laws of all exponents given the runs, at one size of departure and noise.

    `root` is the Cholesky factor of the runs' relative covariance; white is what was divided by it.
    """

    terms: _Terms
    scale: float
    runs: Floats  # their places [N, 3]
    departure: float
    noise: float
    root: Floats  # [N, N]
    white: Floats  # [K, N, P], the terms
    missed: Floats  # [K, N], what the laws miss of the runs, whitened
    sizes: Floats  # [K, P]
    spread: Floats  # [K, P, P], covariance of the sizes
    log_evidence: Floats  # [K]

    @staticmethod
    def given(terms: _Terms, scale: float, x_N3: Floats, error_N: Floats, departure: float, noise: float) -> "_Laws":
        """The laws of runs, by linear regression of errors relative to themselves."""
        near_NN = departure**2 * _nearness(x_N3, x_N3)
        root_NN: Floats = np.linalg.cholesky(near_NN + noise**2 * np.eye(len(x_N3))).astype(float)
        phi_KNP = terms.values(x_N3) * (scale / error_N)[:, None]
        K, N, P = phi_KNP.shape
        flat = np.linalg.solve(root_NN, np.swapaxes(phi_KNP, 0, 1).reshape(N, K * P))
        white_KNP = np.swapaxes(flat.reshape(N, K, P), 0, 1)
        before_P = np.full(P, 1 / P)
        off_KN = np.linalg.solve(root_NN, np.ones(N)) - white_KNP @ before_P
        normal_KPP = np.swapaxes(white_KNP, 1, 2) @ white_KNP + np.eye(P) / _SPREAD**2
        spread_KPP: Floats = np.linalg.inv(normal_KPP).astype(float)
        pull_KP = np.einsum("knp,kn->kp", white_KNP, off_KN)
        step_KP = np.einsum("kpq,kq->kp", spread_KPP, pull_KP)
        fits_K = (pull_KP * step_KP).sum(axis=1) - (off_KN**2).sum(axis=1) + np.linalg.slogdet(spread_KPP)[1]
        log_evidence_K = fits_K / 2 - np.log(np.diag(root_NN)).sum()
        missed_KN = off_KN - np.einsum("knp,kp->kn", white_KNP, step_KP)
        sizes_KP = before_P + step_KP
        return _Laws(
            terms, scale, x_N3, departure, noise, root_NN, white_KNP, missed_KN, sizes_KP, spread_KPP, log_evidence_K
        )

    def errors(self, x_M3: Floats, kept_K: Floats, weight_k: Floats) -> tuple[Floats, Floats, Floats]:
        """The weights, the means [k, M] of the kept laws, and their weighted relative covariance [M, M]."""
        phi_kMP = self.terms.values(x_M3, kept_K)
        near_NM = np.linalg.solve(self.root, self.departure**2 * _nearness(self.runs, x_M3))
        plain_kM = np.maximum(np.einsum("kmp,kp->km", phi_kMP, self.sizes[kept_K]), _LEAST)
        mean_kM = self.scale * np.maximum(plain_kM * (1 + self.missed[kept_K] @ near_NM), _LEAST)
        lead_kMP = phi_kMP / plain_kM[:, :, None] - near_NM.T @ self.white[kept_K]
        lean_kMP = lead_kMP @ np.linalg.cholesky(self.spread[kept_K]) * np.sqrt(weight_k)[:, None, None]
        flat = np.swapaxes(lean_kMP, 0, 1).reshape(len(x_M3), -1)
        departure_MM = self.departure**2 * _nearness(x_M3, x_M3) - near_NM.T @ near_NM
        return weight_k, mean_kM, flat @ flat.T + weight_k.sum() * departure_MM


def _nearness(a_N3: Floats, b_M3: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * (((a_N3[:, None] - b_M3) / _LENGTH) ** 2).sum(axis=2)))
