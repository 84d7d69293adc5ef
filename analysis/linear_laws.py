"""Errors as E + A x1^-alpha + B x2^-beta + ..., times a smooth departure and noise, given runs.

At given exponents that is linear, so E, A, B, ... are integrated in closed form. Exponents lie on a grid that closes in
on those that the runs speak for, and sizes of departure and noise on another one; each law weighs its evidence.

Letters of shapes: K laws that differ in their exponents, N runs, M places that are asked for, P terms, X axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.triangular import solve_lower

_EXPONENTS = (0.12, 1.0)
_COARSE, _FINE, _ROUNDS = 6, 6, 2  # exponents of an axis: at first, and in each round that closes in
_REACH = 2.0  # standard deviations to both sides
_BLUR = 0.4  # of a step of the grid: no standard deviation is known better
_SPREAD = 1.0  # standard deviation of each term at the middle of the runs before they are seen, in their mean error
_RELATIVE = ((0.003, 0.003), (0.01, 0.005), (0.02, 0.01), (0.05, 0.02), (0.1, 0.03))  # departure and noise
_ROUGH = (0.1, 0.045)  # beside these, where laws miss much
_TOGETHER = ((0.003, 0.01), (0.003, 0.02), (0.01, 0.02), (0.02, 0.04))  # the same where groups share noise
_SHARED = 0.95  # of the variance of that noise
_LENGTH = 2.0  # of a departure, in each logarithm
_LIGHT = 1e-3  # weight, in that of the heaviest, below which a law is left out
_LEAST = 1e-3  # of the mean error, below which no law predicts
_CHECKED = 300  # runs, at most, that laws are held against
_MISSED = 3.0  # times as far off their own runs as laws say, from which on they are sought anew
_USUAL, _UNUSUAL = 3, 3.0  # rounds in which the usual error of a run is found; its factor to the measured one, at most
_RIDGE = 1e-6  # pull of terms to 0 in these rounds


@dataclass(frozen=True, eq=False)
class Runs:
    """Logarithms of what runs are made of [N, X], their errors above 0, and the group that each shares noise with."""

    places: Floats
    errors: Floats
    groups: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Runs":
        """Some of them."""
        return Runs(self.places[rows], self.errors[rows], self.groups[rows])


@dataclass(frozen=True, eq=False)
class Outlook:
    """Errors at M places; `covariance` [M, M] is of what is not known of their logarithms, `noise` of a reading."""

    mean: Floats
    covariance: Floats
    noise: float

    @property
    def deviation(self) -> Floats:
        """Standard deviations [M] of the logarithms of new readings."""
        return np.sqrt(np.diag(self.covariance) + self.noise)


def blended(parts: Sequence[tuple[float, Outlook]]) -> Outlook:
    """One outlook of several, each with its share; what they disagree in is not known."""
    mean_M = np.asarray(sum(share * part.mean for share, part in parts))
    covariance, noise = np.zeros((len(mean_M), len(mean_M))), 0.0
    for share, part in parts:
        off_M = part.mean / mean_M - 1
        covariance += share * (part.covariance + np.outer(off_M, off_M))
        noise += share * part.noise
    return Outlook(mean_M, covariance, noise)


@dataclass(frozen=True, eq=False)
class Given:
    """Laws of all exponents, departures and noises given runs, and their weights."""

    laws: Sequence["_Laws"]
    weights: Sequence[Floats]  # [K] of each

    @staticmethod
    def of(runs: Runs, varied_X: NDArray[np.bool_]) -> "Given":
        """The laws at the exponents that the runs speak for, of the axes that vary.

        Errors are in units of what was measured, which a law far below all runs misses by 1, whatever they are: that
        passes for a smooth departure. Where laws so miss their own runs, the units are those of the nearest law.
        """
        given = Given._in_units(runs, varied_X, runs.errors, _RELATIVE)
        if given._off(runs) <= _MISSED:
            return given
        return Given._in_units(runs, varied_X, _usual(runs, varied_X), (*_RELATIVE, _ROUGH))

    @staticmethod
    def _in_units(
        runs: Runs, varied_X: NDArray[np.bool_], unit_N: Floats, sizes: Sequence[tuple[float, float]]
    ) -> "Given":
        """The laws, with departures and noise as shares of these errors."""
        laws = _every_law(runs, varied_X, unit_N, sizes)
        heaviest = max(law.log_evidence.max() for law in laws)
        weights = [np.exp(law.log_evidence - heaviest) for law in laws]
        weights = [np.where(weight_K < _LIGHT, 0.0, weight_K) for weight_K in weights]
        total = sum(weight_K.sum() for weight_K in weights)
        return Given(laws, [weight_K / total for weight_K in weights])

    def _off(self, runs: Runs) -> float:
        """How far off the runs are, in units of what is said of them: 1 where that is right."""
        step = -(-len(runs.errors) // _CHECKED)
        runs = runs.take(np.arange(0, len(runs.errors), step))
        said = self.at(runs.places)
        return float(np.sqrt(np.mean((np.log(runs.errors / said.mean) / said.deviation) ** 2)))

    def at(self, new_MX: Floats) -> Outlook:
        """What they say of new places."""
        every = list(zip(self.laws, self.weights, strict=True))
        parts = [law.errors(new_MX, weight_K > 0, weight_K[weight_K > 0]) for law, weight_K in every if weight_K.any()]
        mean_M = sum(weight_k @ mean_kM for weight_k, mean_kM, _ in parts)
        covariance = sum(within for *_, within in parts)
        for weight_k, mean_kM, _ in parts:
            off_kM = mean_kM / mean_M - 1
            covariance = covariance + (weight_k[:, None] * off_kM).T @ off_kM
        noise = sum(weight_K.sum() * law.noise**2 for law, weight_K in every)
        return Outlook(np.asarray(mean_M), np.asarray(covariance), float(noise))


def _every_law(
    runs: Runs, varied_X: NDArray[np.bool_], unit_N: Floats, sizes: Sequence[tuple[float, float]]
) -> list["_Laws"]:
    """One entry for each size of departure and noise."""
    axes = _axes(varied_X)
    for _ in range(_ROUNDS):
        laws = _laws(runs, varied_X, axes, unit_N, sizes)
        evidence = np.array([law.log_evidence for law in laws])
        weight_K = np.exp(evidence - evidence.max()).sum(axis=0)
        exponents_KX = laws[0].terms.exponents
        for place in np.flatnonzero(varied_X):
            axes[place] = _closer(axes[place], exponents_KX[:, place], weight_K / weight_K.sum())
    return _laws(runs, varied_X, axes, unit_N, sizes)


def _axes(varied_X: NDArray[np.bool_]) -> list[Floats]:
    """The exponents of each axis at first; a term that is the same everywhere needs none."""
    return [np.geomspace(*_EXPONENTS, _COARSE) if varied else np.array([0.0]) for varied in varied_X]


def _usual(runs: Runs, varied_X: NDArray[np.bool_]) -> Floats:
    """The error of each run by the law that is nearest to all of them, without a departure [N]."""
    terms_KNP = _Terms.around(runs, varied_X, _axes(varied_X)).values(runs.places)
    usual_N = runs.errors
    for _ in range(_USUAL):
        relative_KNP = terms_KNP / usual_N[:, None]
        turned_KPN = np.swapaxes(relative_KNP, 1, 2)
        pull_PP = _RIDGE * np.eye(terms_KNP.shape[2]) / usual_N.mean() ** 2
        aim_KP1 = (turned_KPN @ (runs.errors / usual_N))[:, :, None]
        found_KN = (terms_KNP @ np.linalg.solve(turned_KPN @ relative_KNP + pull_PP, aim_KP1))[:, :, 0]
        off_KN = np.log(np.maximum(found_KN, _LEAST * runs.errors) / runs.errors)
        nearest = found_KN[np.abs(off_KN).mean(axis=1).argmin()]
        usual_N = np.clip(nearest, runs.errors / _UNUSUAL, runs.errors * _UNUSUAL)
    return np.asarray(usual_N)


def _closer(axis: Floats, exponent_K: Floats, weight_K: Floats) -> Floats:
    """The exponents of an axis around those that have weight."""
    logs = np.log(exponent_K)
    middle = float(weight_K @ logs)
    deviation = float(np.sqrt(weight_K @ (logs - middle) ** 2))
    reach = _REACH * max(deviation, _BLUR * float(np.log(axis[1] / axis[0])))
    low, high = np.clip([middle - reach, middle + reach], *np.log(_EXPONENTS))
    return np.asarray(np.exp(np.linspace(low, high, _FINE)))


def _laws(
    runs: Runs,
    varied_X: NDArray[np.bool_],
    axes: Sequence[Floats],
    unit_N: Floats,
    sizes: Sequence[tuple[float, float]],
) -> list["_Laws"]:
    terms = _Terms.around(runs, varied_X, axes)
    relative_KNP = terms.values(runs.places) / unit_N[:, None]
    laws = [_Laws.given(terms, relative_KNP, runs, unit_N, *pair, 0.0) for pair in sizes]
    if len(np.unique(runs.groups)) < len(runs.groups):
        laws += [_Laws.given(terms, relative_KNP, runs, unit_N, *pair, _SHARED) for pair in _TOGETHER]
    return laws


@dataclass(frozen=True)
class _Terms:
    """The terms of the laws, each 1 at the middle of the runs."""

    middle: Floats  # [X]
    used: NDArray[np.bool_]  # [1 + X]; a term that is the same for all runs and places is none
    exponents: Floats  # [K, X]

    @staticmethod
    def around(runs: Runs, varied_X: NDArray[np.bool_], axes: Sequence[Floats]) -> "_Terms":
        """The terms of the axes that vary, at all combinations of their exponents."""
        return _Terms(runs.places.mean(axis=0), np.append(True, varied_X), np.array(list(product(*axes))))

    def values(self, x_MX: Floats, kept_K: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        """The terms [K, M, P] at places."""
        powers = np.exp(-self.exponents[kept_K][:, None, :] * (x_MX - self.middle))
        return np.concatenate([np.ones_like(powers[:, :, :1]), powers], axis=2)[:, :, self.used]


@dataclass(frozen=True, eq=False)
class _Laws:
    """The laws of all exponents given the runs, at one size of departure and noise.

    `root` is the Cholesky factor of the runs' relative covariance; white is what was divided by it.
    """

    terms: _Terms
    scale: float
    places: Floats  # of the runs [N, X]
    departure: float
    noise: float
    root: Floats  # [N, N]
    white: Floats  # [K, N, P], the terms
    missed: Floats  # [K, N], what the laws miss of the runs, whitened
    sizes: Floats  # [K, P]
    spread: Floats  # [K, P, P], covariance of the sizes
    log_evidence: Floats  # [K]

    @staticmethod
    def given(
        terms: _Terms,
        relative_KNP: Floats,
        runs: Runs,
        unit_N: Floats,
        departure: float,
        noise: float,
        shared: float,
    ) -> "_Laws":
        """The laws of runs, by linear regression of errors in these units."""
        K, N, P = relative_KNP.shape
        scale = float(np.exp(np.log(runs.errors).mean()))
        near_NN = departure**2 * _nearness(runs.places, runs.places)
        alike_NN = (runs.groups[:, None] == runs.groups) * shared + (1 - shared) * np.eye(N)
        root_NN: Floats = np.linalg.cholesky(near_NN + noise**2 * alike_NN).astype(float)
        flat = solve_lower(root_NN, np.swapaxes(scale * relative_KNP, 0, 1).reshape(N, K * P))
        white_KNP = np.swapaxes(flat.reshape(N, K, P), 0, 1)
        before_P = np.full(P, 1 / P)
        off_KN = solve_lower(root_NN, runs.errors / unit_N) - white_KNP @ before_P
        normal_KPP = np.swapaxes(white_KNP, 1, 2) @ white_KNP + np.eye(P) / _SPREAD**2
        spread_KPP: Floats = np.linalg.inv(normal_KPP).astype(float)
        pull_KP = np.einsum("knp,kn->kp", white_KNP, off_KN)
        step_KP = np.einsum("kpq,kq->kp", spread_KPP, pull_KP)
        fits_K = (pull_KP * step_KP).sum(axis=1) - (off_KN**2).sum(axis=1) + np.linalg.slogdet(spread_KPP)[1]
        log_evidence_K = fits_K / 2 - np.log(np.diag(root_NN)).sum()
        missed_KN = off_KN - np.einsum("knp,kp->kn", white_KNP, step_KP)
        sizes_KP = before_P + step_KP
        return _Laws(
            terms,
            scale,
            runs.places,
            departure,
            noise,
            root_NN,
            white_KNP,
            missed_KN,
            sizes_KP,
            spread_KPP,
            log_evidence_K,
        )

    def errors(self, x_MX: Floats, kept_K: NDArray[np.bool_], weight_k: Floats) -> tuple[Floats, Floats, Floats]:
        """The weights, the means [k, M] of the kept laws, and their weighted relative covariance [M, M]."""
        phi_kMP = self.terms.values(x_MX, kept_K)
        near_NM = solve_lower(self.root, self.departure**2 * _nearness(self.places, x_MX))
        plain_kM = np.maximum(np.einsum("kmp,kp->km", phi_kMP, self.sizes[kept_K]), _LEAST)
        mean_kM = self.scale * np.maximum(plain_kM * (1 + self.missed[kept_K] @ near_NM), _LEAST)
        lead_kMP = phi_kMP / plain_kM[:, :, None] - near_NM.T @ self.white[kept_K]
        lean_kMP = lead_kMP @ np.linalg.cholesky(self.spread[kept_K]) * np.sqrt(weight_k)[:, None, None]
        flat = np.swapaxes(lean_kMP, 0, 1).reshape(len(x_MX), -1)
        departure_MM = self.departure**2 * _nearness(x_MX, x_MX) - near_NM.T @ near_NM
        return weight_k, mean_kM, flat @ flat.T + weight_k.sum() * departure_MM


def _nearness(a_NX: Floats, b_MX: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * (((a_NX[:, None] - b_MX) / _LENGTH) ** 2).sum(axis=2)))
