"""Errors as E + A x1^-alpha + B x2^-beta + ..., times a smooth departure and noise, given runs.

The logarithm of the error is what has departure and noise, and E, A, B, ... are above 0. So at given exponents their
logarithms are found by Gauss-Newton, and around the best ones the posterior is taken as normal (Laplace). Exponents lie
on a grid that closes in on those that the runs speak for, and sizes of departure and noise on another one; each law
weighs its evidence.

Letters of shapes: K laws that differ in their exponents, N runs, M places that are asked for, P terms, X axes. Runs and
places come last: products with the runs' covariance, most of the work, then need no copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalectl.analysis.bootstrap import of_few
from scalectl.analysis.law import Floats
from scalectl.analysis.outlook import Outlook
from scalectl.analysis.spread import spread
from scalectl.analysis.whitening import SHORT, Runs, Size, Whitening, nearness

_EXPONENTS = (0.12, 1.0)
_COARSE, _FINE, _ROUNDS = 6, 6, 2  # exponents of an axis: at first, and in each round that closes in
_MOST_CLOSING = 150  # runs that the rounds rest on which close in
_REACH = 2.0  # standard deviations to both sides
_BLUR = 0.4  # of a step of the grid: no standard deviation is known better
_SPREAD = 1.0  # standard deviation of the logarithm of each term at the middle of the runs, before they are seen
_SHARED = 0.95  # of the variance of noise that groups share
_TAKEN = 3  # groups that laws of a size use up, so that they tell no noise
_LIGHT = 1e-3  # weight, in that of the heaviest, below which a law is left out
_HOPELESS = 15.0  # log evidence below the best, from which on a size is left out of the rounds that follow
_STEPS, _MORE = 8, 3  # of Gauss-Newton: from before the runs are seen, and from what a larger noise has said
_Numbers = NDArray[np.floating[Any]]  # of whatever length
_FURTHEST, _ARRIVED = 1.0, 1e-2  # that a step goes, in logarithms, and below which a law takes no other


_ALONE = (  # largest first
    Size(0.4, 0.12),
    Size(0.2, 0.06),
    Size(0.1, 0.03),
    Size(0.05, 0.02),
    Size(0.02, 0.01),
    Size(0.01, 0.005),
    Size(0.003, 0.003),
)
_TOGETHER = (
    Size(0.1, 0.12, _SHARED),
    Size(0.05, 0.08, _SHARED),
    Size(0.02, 0.04, _SHARED),
    Size(0.01, 0.02, _SHARED),
    Size(0.003, 0.02, _SHARED),
    Size(0.003, 0.01, _SHARED),
)


@dataclass(frozen=True, eq=False)
class Given:
    """Laws of all exponents, departures and noises given runs, and their weights."""

    laws: Sequence["_Laws"]
    weights: Sequence[Floats]  # [K] of each
    scale: float  # error that is 1 to them
    few_groups: float  # factor of the variance that groups share, which few of them tell too small

    @staticmethod
    def of(runs: Runs, varied_X: NDArray[np.bool_]) -> "Given":
        """The laws at the exponents that the runs speak for, of the axes that vary."""
        scale = float(np.exp(np.log(runs.errors).mean()))
        laws = _every_law(replace(runs, errors=runs.errors / scale), varied_X)
        heaviest = _best(laws)
        laws = [law.take(np.flatnonzero(law.log_evidence >= heaviest + np.log(_LIGHT))) for law in laws]
        laws = [law for law in laws if len(law.log_evidence)]
        weights = [np.exp(law.log_evidence - heaviest) for law in laws]
        total = sum(weight_K.sum() for weight_K in weights)
        return Given(
            laws, [weight_K / total for weight_K in weights], scale, of_few(len(np.unique(runs.groups)) - _TAKEN)
        )

    def at(self, new_MX: Floats) -> Outlook:
        """What they say of new places."""
        every = list(zip(self.laws, self.weights, strict=True))
        parts = [(weight_K, *law.errors(new_MX, weight_K)) for law, weight_K in every]
        log_M = np.asarray(sum(weight_K @ log_KM for weight_K, log_KM, _ in parts))
        covariance = sum(within for *_, within in parts)
        for weight_K, log_KM, _ in parts:
            off_KM = log_KM - log_M
            covariance = covariance + (weight_K[:, None] * off_KM).T @ off_KM
        more = self.few_groups - 1
        noise = sum(weight_K.sum() * law.size.noise**2 * (1 + law.size.shared * more) for law, weight_K in every)
        return Outlook(self.scale * np.exp(log_M), np.asarray(covariance), float(noise))


def _every_law(runs: Runs, varied_X: NDArray[np.bool_]) -> list["_Laws"]:
    """One entry for each size of departure and noise that the runs speak for."""
    axes = [np.array([0.0])] * len(varied_X)  # a term that is the same everywhere needs no exponent
    for place in np.flatnonzero(varied_X):
        axes[place] = np.geomspace(*_EXPONENTS, _COARSE)
    used_P = np.append(True, varied_X)
    sizes: Sequence[Size] = _ALONE
    if len(np.unique(runs.groups)) < len(runs.groups):
        sizes = (*_TOGETHER, *_ALONE)
    some = runs  # enough to tell where to look
    if len(runs.errors) > _MOST_CLOSING:
        some = runs.take(spread(runs.places, _MOST_CLOSING))
    for _ in range(_ROUNDS):
        laws = _laws(some, axes, used_P, sizes)
        evidence = np.array([law.log_evidence for law in laws])
        likely = evidence.max(axis=1) > evidence.max() - _HOPELESS
        sizes = [law.size for law, is_likely in zip(laws, likely, strict=True) if is_likely]
        weight_K = np.exp(evidence - evidence.max()).sum(axis=0)
        exponents_KX = laws[0].terms.exponents
        for place in np.flatnonzero(varied_X):
            axes[place] = _closer(axes[place], exponents_KX[:, place], weight_K / weight_K.sum())
    return _laws(runs, axes, used_P, sizes)


def _closer(axis: Floats, exponent_K: Floats, weight_K: Floats) -> Floats:
    """The exponents of an axis around those that have weight."""
    logs = np.log(exponent_K)
    middle = float(weight_K @ logs)
    deviation = float(np.sqrt(weight_K @ (logs - middle) ** 2))
    reach = _REACH * max(deviation, _BLUR * float(np.log(axis[1] / axis[0])))
    low, high = np.clip([middle - reach, middle + reach], *np.log(_EXPONENTS))
    return np.asarray(np.exp(np.linspace(low, high, _FINE)))


def _laws(runs: Runs, axes: Sequence[Floats], used_P: NDArray[np.bool_], sizes: Sequence[Size]) -> list["_Laws"]:
    """The laws of each size, which begins where the one before it has ended.

    Of sizes that share as much, none is tried that is smaller than one that is hopeless beside a larger one.
    """
    terms = _Terms(runs.places.mean(axis=0), used_P, np.array(list(product(*axes))))
    values_KPN = terms.values(runs.places)
    short_KPN = values_KPN.astype(SHORT)
    log_KP, laws = np.full(values_KPN.shape[:2], _before(values_KPN)), list[_Laws]()
    for size in sizes:
        larger = [law for law in laws if law.size.shared == size.shared]
        if larger and _best(larger[-1:]) < _best(larger) - _HOPELESS:
            continue
        white, steps = runs.whitening(size), _MORE if laws else _STEPS
        laws.append(_Laws.given(terms, values_KPN, short_KPN, runs, white, log_KP, steps))
        log_KP = laws[-1].log_sizes
    return laws


def _best(laws: Sequence["_Laws"]) -> float:
    return float(max(law.log_evidence.max() for law in laws))


def _before(values_KPN: _Numbers) -> float:
    """The logarithm of each term at the middle of the runs, before they are seen: all are alike, and 1 together."""
    return -float(np.log(values_KPN.shape[1]))


@dataclass(frozen=True)
class _Terms:
    """The terms of the laws, each 1 at the middle of the runs."""

    middle: Floats  # [X]
    used: NDArray[np.bool_]  # [1 + X]; a term that is the same for all runs and places is none
    exponents: Floats  # [K, X]

    def values(self, x_MX: Floats) -> Floats:
        """The terms [K, P, M] at places."""
        powers_KXM = np.exp(-self.exponents[:, :, None] * (x_MX - self.middle).T)
        every = np.concatenate([np.ones_like(powers_KXM[:, :1]), powers_KXM], axis=1)
        return every.compress(self.used, axis=1)  # and not by an index, which would leave them out of order in memory


def _parts(values_KPN: _Numbers, log_KP: Floats) -> tuple[_Numbers, _Numbers]:
    """The logarithm of each law's errors [K, N], and the share of each term in these [K, P, N]: the slope of one by the
    logarithm of the other.
    """
    parts_KPN = values_KPN * np.exp(log_KP, dtype=values_KPN.dtype, casting="same_kind")[:, :, None]
    whole_KN = parts_KPN.sum(axis=1)
    return np.log(whole_KN), parts_KPN / whole_KN[:, None]


@dataclass(frozen=True, eq=False)
class _Around:
    """What the runs say around sizes of the terms: what is whitened as in `_Laws`, the normal equations, and their
    right side.
    """

    white: Floats  # [K, P, N]
    missed: Floats  # [K, N]
    normal: Floats  # [K, P, P]
    pull: Floats  # [K, P]
    misfit: Floats  # [K]

    @staticmethod
    def these(log_KP: Floats, values_KPN: _Numbers, runs: Runs, whitening_NN: _Numbers) -> "_Around":
        K, P, N = values_KPN.shape
        law_KN, shares_KPN = _parts(values_KPN, log_KP)
        missed_KN = np.log(runs.errors).astype(law_KN.dtype) - law_KN
        plain_KQN = np.concatenate([shares_KPN, missed_KN[:, None]], axis=1)
        white_KQN = (plain_KQN.reshape(-1, N) @ whitening_NN.T).reshape(K, P + 1, N).astype(float, copy=False)
        products_KQQ = white_KQN @ white_KQN.swapaxes(1, 2)
        away_KP = (log_KP - _before(values_KPN)) / _SPREAD
        normal_KPP = products_KQQ[:, :P, :P] + np.eye(P) / _SPREAD**2
        pull_KP = products_KQQ[:, :P, P] - away_KP / _SPREAD
        misfit_K = products_KQQ[:, P, P] + (away_KP**2).sum(axis=1)
        return _Around(white_KQN[:, :P], white_KQN[:, P], normal_KPP, pull_KP, misfit_K)

    @property
    def step(self) -> Floats:
        """The step of Gauss-Newton from there [K, P]."""
        return np.asarray(np.linalg.solve(self.normal, self.pull[:, :, None])[:, :, 0])


@dataclass(frozen=True, eq=False)
class _Laws:
    """The laws of all exponents given the runs, at one size of departure and noise.

    White is what was multiplied by `whitening`, the inverse of the Cholesky factor of the runs' covariance.
    """

    terms: _Terms
    places: Floats  # of the runs [N, X]
    size: Size
    whitening: Floats  # [N, N]
    white: Floats  # [K, P, N], the shares of the terms
    missed: Floats  # [K, N], what the laws miss of the runs, whitened
    log_sizes: Floats  # [K, P], of the terms
    spread: Floats  # [K, P, P], their covariance
    log_evidence: Floats  # [K]

    @staticmethod
    def given(
        terms: _Terms,
        values_KPN: Floats,
        short_KPN: _Numbers,
        runs: Runs,
        whitening: Whitening,
        log_KP: Floats,
        steps: int,
    ) -> "_Laws":
        """The laws of runs, found from `log_KP` in so many steps of Gauss-Newton, or fewer."""
        log_KP, moving = log_KP.copy(), np.arange(len(log_KP))
        for _ in range(steps):
            around = _Around.these(log_KP[moving], short_KPN[moving], runs, whitening.short)
            step_KP = np.clip(around.step, -_FURTHEST, _FURTHEST)
            log_KP[moving] += step_KP
            moving = moving[np.abs(step_KP).max(axis=1) >= _ARRIVED]
        around = _Around.these(log_KP, values_KPN, runs, whitening.inverse)
        spread_KPP: Floats = np.linalg.inv(around.normal).astype(float)
        log_evidence_K = (np.linalg.slogdet(spread_KPP)[1] - around.misfit) / 2 - whitening.log_root
        found = (around.white, around.missed, log_KP, spread_KPP, log_evidence_K)
        return _Laws(terms, runs.places, whitening.size, whitening.inverse, *found)

    def take(self, rows: NDArray[np.int64]) -> "_Laws":
        """Some of them."""
        terms = replace(self.terms, exponents=self.terms.exponents[rows])
        of_each = ("white", "missed", "log_sizes", "spread", "log_evidence")
        return replace(self, terms=terms, **{name: getattr(self, name)[rows] for name in of_each})

    def errors(self, x_MX: Floats, weight_K: Floats) -> tuple[Floats, Floats]:
        """The mean logarithms [K, M] of errors, and their weighted covariance [M, M]."""
        law_KM, shares_KPM = _parts(self.terms.values(x_MX), self.log_sizes)
        near_NM = self.whitening @ (self.size.departure**2 * nearness(self.places, x_MX))
        lead_KPM = shares_KPM - self.white @ near_NM
        lean_KPM = np.linalg.cholesky(self.spread).swapaxes(1, 2) @ lead_KPM * np.sqrt(weight_K)[:, None, None]
        flat = np.concatenate(lean_KPM)
        departure_MM = self.size.departure**2 * nearness(x_MX, x_MX) - near_NM.T @ near_NM
        covariance_MM = flat.T @ flat + weight_K.sum() * departure_MM
        return law_KM + self.missed @ near_NM, covariance_MM
