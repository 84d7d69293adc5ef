"""What the runs so far say of runs that are not there yet: their errors, and how these hang together.

The error of a run is taken as a law of compute per image, images seen and distinct images. What an image is worth that
is seen again is one of a few forms: each weighs what it would have predicted of the costliest runs from the others.
So are images that were as good as seen before, as errors near chance need them.
Where all of them together missed too many of these, intervals are as much wider as that took.

Letters of shapes: N runs, M places that are asked for.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scalectl.analysis.additive_laws import Given
from scalectl.analysis.bootstrap import HALF
from scalectl.analysis.conformal import stretch
from scalectl.analysis.law import Floats
from scalectl.analysis.outlook import Outlook, blended, sampling
from scalectl.analysis.repetition import DECAYS, between, worth
from scalectl.analysis.spread import spread
from scalectl.analysis.whitening import Runs

_COUNTED = 0.02  # share below which a form is left out
_CLOSER = 2  # rounds in which forms beside the best one are tried
_MOST_TESTED = 150  # runs that a form is tested with
MOST = 250  # runs that a forecast rests on: time and memory grow with their cube and square
# Images seen before, times the fewest of a run, that are tried where errors fall ever faster: of 8 and 32 alone, the
# nearer one was far from what lay between them.
_BEFORE = 8.0, 13.0, 20.0, 32.0
_TELLING = 10  # costliest runs from which on they tell that
_FASTER = -2 / 3  # standard deviations that the costliest runs then lie below what was expected, or further
_DECIMALS = 9  # of the logarithm of a cost, beyond which costs are equal
_HELD_OUT, _FEWEST = 1 / 3, 5  # the costliest runs that a form has to predict; those that it needs to predict from


def _on_one_thread() -> AbstractContextManager[object]:
    """BLAS on one thread: matrices are small and many here, and a second one doubles the time and triples the CPU."""
    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited


def positions(runs: pd.DataFrame, x: str) -> Floats:
    """log compute per image, log images seen and log distinct images [N, 3].

    Where that is not known of a run, its images are all distinct; of none, there is one number for all.
    """
    seen = runs["images_seen"].to_numpy(float)
    distinct = np.ones(len(runs))
    if "data_size" in runs and runs["data_size"].notna().any():
        distinct = runs["data_size"].fillna(runs["images_seen"]).to_numpy(float)
    return np.log(np.stack([runs[x].to_numpy(float) / seen, seen, distinct], axis=1))


@dataclass(frozen=True)
class _Form:
    """What images seen are worth: as `worth` has it at a decay, and as if so many had been seen before."""

    decay: float
    before: float = 0.0

    def places(self, x_N3: Floats) -> Floats:
        """The same positions with what the images seen are worth in their place."""
        if not np.isfinite(self.decay) and not self.before:
            return x_N3
        per_image, seen, distinct = x_N3.T
        worth_N = worth(np.exp(seen), np.exp(distinct), self.decay)
        return np.stack([per_image, np.log(worth_N + self.before), distinct], axis=1)

    def valued(self, runs: Runs) -> Runs:
        """The same runs with it."""
        return replace(runs, places=self.places(runs.places))


@dataclass(frozen=True, eq=False)
class Forecast:
    """What runs at known positions say of others."""

    forms: Sequence[_Form]
    shares: Floats  # of each form
    wider: float  # factor of all intervals
    given: Sequence[Given]
    images: float  # that readings are tested on

    @staticmethod
    def of(
        known_N3: Floats,
        error_N: Floats,
        trunks_N: NDArray[np.int64] | None = None,
        new_M3: Floats | None = None,
        images: float = np.inf,
    ) -> "Forecast":
        """The forecast of runs with errors above 0; those of one trunk share noise, and all are tested on so many
        images.

        Of more than MOST runs it rests on so many, as `spread` chooses them. `new_M3` are positions in which others may
        differ where these runs don't.
        """
        if trunks_N is None:
            trunks_N = np.arange(len(error_N))
        runs = Runs(known_N3, error_N, trunks_N, sampling(error_N, images))
        decays: Sequence[float] = DECAYS[:1]
        if np.ptp(known_N3[:, 2]) > 0:  # else images seen and repeats are one
            decays = DECAYS
        every = known_N3
        if new_M3 is not None:
            every = np.concatenate([known_N3, new_M3])
        varied_3 = np.ptp(every, axis=0) > 0
        runs = runs.take(spread(known_N3, MOST))
        with _on_one_thread():
            every_form, share_F, wider = _tested(runs, decays, varied_3)
            forms = [form for form, share in zip(every_form, share_F, strict=True) if share >= _COUNTED]
            shares = share_F[share_F >= _COUNTED]
            given = [Given.of(form.valued(runs), varied_3) for form in forms]
        return Forecast(forms, shares / shares.sum(), wider, given, images)

    def at(self, new_M3: Floats) -> Outlook:
        """The errors at these positions, each worked out once where several are the same."""
        place_P3, of_M = np.unique(new_M3, axis=0, return_inverse=True)
        with _on_one_thread():
            parts = [given.at(form.places(place_P3)) for given, form in zip(self.given, self.forms, strict=True)]
            found = blended(list(zip(self.shares, parts, strict=True)))
        covariance = self.wider**2 * found.covariance[np.ix_(of_M, of_M)]
        return Outlook(found.mean[of_M], covariance, self.wider**2 * found.noise, self.images)


def outlook(
    known_N3: Floats,
    error_N: Floats,
    new_M3: Floats,
    trunks_N: NDArray[np.int64] | None = None,
    images: float = np.inf,
) -> Outlook:
    """What runs at these positions with errors above 0 say of new positions; runs of one trunk share noise, and all
    are tested on so many images.
    """
    return Forecast.of(known_N3, error_N, trunks_N, new_M3, images).at(new_M3)


@dataclass(frozen=True, eq=False)
class _Test:
    """The costliest runs, what others say of these by one form, and how likely that makes them."""

    form: _Form
    expected: Outlook
    score: float

    @staticmethod
    def of(form: _Form, cheap: Runs, costly: Runs, varied_3: NDArray[np.bool_]) -> "_Test":
        expected = Given.of(form.valued(cheap), varied_3).at(form.places(costly.places))
        off_M, deviation_M = _off(expected, costly)
        return _Test(form, expected, float(np.mean(-0.5 * (off_M / deviation_M) ** 2 - np.log(deviation_M))))


def _tested(runs: Runs, decays: Sequence[float], varied_3: NDArray[np.bool_]) -> tuple[list[_Form], Floats, float]:
    """The forms, their weights, how likely the costliest runs are to those who know only the others, and the factor by
    which intervals have to be wider for these, 1 where they held enough of them.

    Where there are several decays, others are tried beside the likeliest. Near the error of chance errors fall ever
    faster with longer training. Where intervals have failed, or the costliest runs are better than was expected, forms
    are tried by which images count on top of some.
    """
    runs = runs.take(spread(runs.places, _MOST_TESTED))
    count = len(runs.errors)
    begin = max(count - round(_HELD_OUT * count), _FEWEST)
    if begin >= count:
        return [_Form(decay) for decay in decays], np.full(len(decays), 1 / len(decays)), 1.0
    cost_N = runs.places[:, :2].sum(axis=1)
    order_N = np.argsort((cost_N - cost_N.min()).round(_DECIMALS), kind="stable")  # equal ones by row, in any unit
    cheap, costly = runs.take(order_N[:begin]), runs.take(order_N[begin:])
    tests = [_Test.of(_Form(decay), cheap, costly, varied_3) for decay in decays]
    for _ in range(_CLOSER * (len(decays) > 1)):
        best = max(range(len(tests)), key=lambda place: tests[place].score)
        near = between([one.form.decay for one in tests], best)
        tests += [_Test.of(_Form(decay), cheap, costly, varied_3) for decay in near]
        tests.sort(key=lambda one: -one.form.decay)
    shares, off_M = _weighed(tests, costly)
    wider = stretch(np.abs(off_M) / HALF)
    if varied_3[1] and len(off_M) >= _TELLING and (wider > 1 or off_M.mean() < _FASTER):
        likeliest = max(tests, key=lambda one: one.score).form
        fewest = float(np.exp(runs.places[:, 1].min()))
        forms = [replace(likeliest, before=times * fewest) for times in _BEFORE]
        tests += [_Test.of(form, cheap, costly, varied_3) for form in forms]
        shares, off_M = _weighed(tests, costly)
        wider = max(wider, stretch(np.abs(off_M) / HALF))  # the new forms were chosen by these runs
    return [one.form for one in tests], shares, wider


def _weighed(tests: Sequence[_Test], costly: Runs) -> tuple[Floats, Floats]:
    """The weights of forms, and how far the costliest runs are off what all together expect, in standard deviations."""
    # neighbours err alike: of n runs, no more than the cube root of n count
    scores = np.array([one.score for one in tests])
    weights = np.exp((scores - scores.max()) * np.cbrt(len(costly.errors)))
    shares = np.asarray(weights / weights.sum())
    off_M, deviation_M = _off(blended(list(zip(shares, [one.expected for one in tests], strict=True))), costly)
    return shares, off_M / deviation_M


def _off(expected: Outlook, runs: Runs) -> tuple[Floats, Floats]:
    """How far runs are off what was expected, in logarithms, and the standard deviations of that."""
    return np.log(runs.errors / expected.mean), np.sqrt(expected.deviation**2 + runs.sampling)
