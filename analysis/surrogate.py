"""What the runs so far say of runs that are not there yet: their errors, and how these hang together.

The error of a run is taken as a law of compute per image, images seen and distinct images. What an image is worth that
is seen again is one of a few forms: each weighs what it would have predicted of the costliest runs from the others.

Letters of shapes: N runs, M places that are asked for.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scalectl.analysis.law import Floats
from scalectl.analysis.linear_laws import Given, Outlook, Runs, blended
from scalectl.analysis.repetition import DECAYS, worth

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


@dataclass(frozen=True, eq=False)
class Forecast:
    """What runs at known positions say of others."""

    decays: Sequence[float]
    shares: Floats  # of each decay
    given: Sequence[Given]

    @staticmethod
    def of(
        known_N3: Floats,
        error_N: Floats,
        trunks_N: NDArray[np.int64] | None = None,
        new_M3: Floats | None = None,
    ) -> "Forecast":
        """The forecast of runs with errors above 0; those of one trunk share noise.

        `new_M3` are positions in which others may differ where these runs don't.
        """
        if trunks_N is None:
            trunks_N = np.arange(len(error_N))
        runs = Runs(known_N3, error_N, trunks_N)
        decays: Sequence[float] = DECAYS[:1]
        if np.ptp(known_N3[:, 2]) > 0:  # else images seen and repeats are one
            decays = DECAYS
        every = known_N3
        if new_M3 is not None:
            every = np.concatenate([known_N3, new_M3])
        varied_3 = np.ptp(every, axis=0) > 0
        with _on_one_thread():
            given = [Given.of(_valued(runs, decay), varied_3) for decay in decays]
            return Forecast(decays, _shares(runs, decays, varied_3), given)

    def at(self, new_M3: Floats) -> Outlook:
        """The errors at these positions."""
        with _on_one_thread():
            parts = [given.at(_worth(new_M3, decay)) for given, decay in zip(self.given, self.decays, strict=True)]
            return blended(list(zip(self.shares, parts, strict=True)))


def outlook(known_N3: Floats, error_N: Floats, new_M3: Floats, trunks_N: NDArray[np.int64] | None = None) -> Outlook:
    """What runs at these positions with errors above 0 say of new positions; runs of one trunk share noise."""
    return Forecast.of(known_N3, error_N, trunks_N, new_M3).at(new_M3)


def _worth(x_N3: Floats, decay: float) -> Floats:
    """The same positions with what the images seen are worth in their place."""
    if not np.isfinite(decay):
        return x_N3
    per_image, seen, distinct = x_N3.T
    return np.stack([per_image, np.log(worth(np.exp(seen), np.exp(distinct), decay)), distinct], axis=1)


def _valued(runs: Runs, decay: float) -> Runs:
    return Runs(_worth(runs.places, decay), runs.errors, runs.groups)


def _shares(runs: Runs, decays: Sequence[float], varied_3: NDArray[np.bool_]) -> Floats:
    """The weight of each decay: how likely the costliest runs are to those who know only the others."""
    count = len(runs.errors)
    begin = max(count - round(_HELD_OUT * count), _FEWEST)
    if len(decays) == 1 or begin >= count:
        return np.full(len(decays), 1 / len(decays))
    order_N = np.argsort(runs.places[:, :2].sum(axis=1), kind="stable")
    scores = []
    for decay in decays:
        valued = _valued(runs, decay)
        cheap, costly = valued.take(order_N[:begin]), valued.take(order_N[begin:])
        expected = Given.of(cheap, varied_3).at(costly.places)
        off_M = np.log(costly.errors / expected.mean) / expected.deviation
        scores.append(float(np.mean(-0.5 * off_M**2 - np.log(expected.deviation))))
    # neighbours err alike: of n runs, no more than the cube root of n count
    weights = np.exp((np.array(scores) - max(scores)) * np.cbrt(count - begin))
    return np.asarray(weights / weights.sum())
