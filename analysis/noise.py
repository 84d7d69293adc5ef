"""How noisy a measured error is, as far as that is known, and what that does to a frontier, the least of many.

Letters of shapes: N runs or points, Z draws of noise.
"""

import math

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from scalectl.analysis.law import Floats
from scalectl.analysis.runs import in_order, is_best
from scalectl.analysis.store import IMAGES
from scalectl.analysis.vocabulary import is_error

# Between the noise of runs, which is about a share of the error, and none that changes; docs/laws.md has the trial.
_POWER = 0.3
_LEAST = 1e-3  # of the largest error, below which noise doesn't fall: an error of 0 is no exact one
_ENOUGH = 5  # differences of seeds from the mean of their cell that tell how much runs scatter
_DRAWS = 400
_MISFIT = 0.01  # of an error: how far laws lie from frontiers without noise
_BENT = 3  # frontier points that a curve through them needs
# Where no noise is known, runs within so many standard deviations of the law are taken to lie on it.
_ON_THE_LAW = 2.5
_ROUNDS = 2  # in which their noise is found
_SIMULATED = 200
_MOST = 2.0  # times the scatter of the frontier around its law, which their noise is at most


def relative(error_N: Floats) -> Floats:
    """The noise of each error where nothing else is known, as a share of that of the largest, which is 1."""
    largest = error_N.max() or 1.0  # where all are 0
    return np.asarray(np.maximum(error_N / largest, _LEAST) ** _POWER)


def averaged(runs: pd.DataFrame, metric: str, x: str, cells: NDArray[np.int64]) -> pd.DataFrame:
    """A row for each cell, that of its first run, with the mean of the metric and of `x` over its runs, which its name
    says where they are several: it is no run's own.

    Columns `seeds`, `spread` and `members` are added: how many runs, the standard deviation of the metric among them,
    and their ids.
    """
    groups = runs.groupby(cells, sort=False)
    first = runs.groupby(cells, sort=False).head(1).copy()
    first[metric], first[x] = groups[metric].mean().to_numpy(), groups[x].mean().to_numpy()
    first["seeds"], first["spread"] = groups.size().to_numpy(), groups[metric].std(ddof=1).to_numpy()
    ids: dict[int, list[str]] = {}
    for cell, run in zip(cells.tolist(), runs["run"].tolist(), strict=True):
        ids.setdefault(cell, []).append(run)
    first["members"] = pd.Series([tuple(members) for members in ids.values()], first.index)
    if "name" in first and len(first) < len(runs):
        named = zip(first["name"], first["seeds"], strict=True)
        first["name"] = [f"{name} (mean of {seeds} seeds)" if seeds > 1 else name for name, seeds in named]
    return in_order(first, metric, x)


def shared_noise(error_N: Floats, images: float, correlation: float) -> Floats:
    """The standard deviation of the noise that all runs share which are tested on the same images."""
    return np.asarray(np.sqrt(correlation * np.clip(error_N * (1 - error_N), 0, None) / images))


def typical_images(cells: pd.DataFrame, metric: str) -> float | None:
    """How many images stand behind the metric, the median of those runs that say it.

    None for what is no share of images: by its name no error, or above 1.
    """
    if not is_error(metric) or IMAGES not in cells or cells[metric].max() > 1:
        return None
    images_N = _images(cells)
    if np.isnan(images_N).all():
        return None
    return float(np.nanmedian(images_N))


def _images(cells: pd.DataFrame) -> Floats:
    """The test images of each cell, NaN where they aren't known."""
    images = pd.to_numeric(cells[IMAGES], errors="coerce")
    return images.where(images > 0).to_numpy(float, na_value=np.nan)


def known_noise(cells: pd.DataFrame, metric: str, correlation: float) -> Floats | None:
    """The standard deviation of what the error of each cell has alone [N], of cells as `averaged` returns them.

    None where neither images nor seeds tell it.

    Of n test images and an error p, the part `correlation` of the binomial p (1 - p) / n is shared by all runs. What
    the spread of seeds has beyond the rest grows with the error as `relative` says.
    """
    error_N, seeds_N = cells[metric].to_numpy(float), cells["seeds"].to_numpy(float)
    binomial_N = np.zeros(len(cells))
    if (typical := typical_images(cells, metric)) is not None:
        images_N = np.nan_to_num(_images(cells), nan=typical)
        inside_N = (error_N * images_N + 1) / (images_N + 2)  # of an error of 0 as well
        binomial_N = inside_N * (1 - inside_N) / images_N
    own_N = (1 - correlation) * binomial_N
    several_N = seeds_N > 1
    if (freedom := float((seeds_N - 1).sum())) >= _ENOUGH:
        scale_N = relative(error_N) ** 2
        beyond_N = (cells["spread"].to_numpy(float) ** 2 - own_N) / scale_N
        share = float(((seeds_N - 1)[several_N] * beyond_N[several_N]).sum()) / freedom
        own_N = own_N + max(share, 0.0) * scale_N
    if typical is None and not own_N.any():
        return None
    return np.asarray(np.sqrt(own_N / seeds_N))


def weighed(
    cells: pd.DataFrame, metric: str, x: str, correlation: float, seed: int, *, by_luck: bool = True
) -> pd.DataFrame:
    """The cells, cheapest first, with their `noise` and the `expected` error: where the best are chosen `by_luck` as
    well, that without the luck of the best so far.

    Where nothing is known of the noise (`noise_known`) it has no unit, and what was measured is expected.
    """
    error_N = cells[metric].to_numpy(float)
    noise_N = known_noise(cells, metric, correlation)
    if noise_N is None:
        return cells.assign(expected=error_N, noise=relative(error_N) / np.sqrt(cells["seeds"]), noise_known=False)
    expected_N = error_N
    if by_luck:
        expected_N = error_N + too_low(cells[x].to_numpy(float), error_N, noise_N, seed)
    misfit_N = _MISFIT * np.maximum(error_N, _LEAST * error_N.max())
    return cells.assign(expected=expected_N, noise=np.hypot(noise_N, misfit_N), noise_known=True)


def too_low(compute_N: Floats, error_N: Floats, noise_N: Floats, seed: int) -> Floats:
    """How far the frontier lies too low at each run, cheapest first, by the luck of the best.

    Noise is added once more, which chooses other frontiers, and taken off once more, which gives their points errors
    that are independent of the choice (data fission; Leiner et al., 2023). How far these lie above the frontier that
    was measured is a line through log compute.
    """
    on_N, log_N = is_best(error_N[None])[0], np.log(compute_N)
    if on_N.sum() < _BENT:
        return np.zeros(len(error_N))
    log_error_N = np.log(np.maximum(error_N, _LEAST * error_N.max()))
    curve = Polynomial.fit(log_N[on_N], log_error_N[on_N], _BENT - 1)
    level_N = np.exp(curve(np.clip(log_N, log_N[on_N].min(), log_N[on_N].max())))
    added_ZN = noise_N * np.random.default_rng(seed).normal(size=(_DRAWS, len(error_N)))
    chosen_ZN = is_best(error_N + added_ZN)
    often_N = chosen_ZN.sum(axis=0)
    without_N = error_N - (added_ZN * chosen_ZN).sum(axis=0) / np.maximum(often_N, 1)
    lines = [
        Polynomial.fit(log_N, value_N / level_N, 1, w=np.sqrt(times_N))
        for value_N, times_N in ((without_N, often_N / _DRAWS), (error_N, on_N))
    ]
    return np.asarray(level_N * np.maximum(lines[0](log_N) - lines[1](log_N), 0))


def law_too_low(compute_N: Floats, error_N: Floats, law_N: Floats, spare: int, seed: int) -> Floats:
    """How far the law of the frontier of some cells, cheapest first, lies too low [N] by luck, in log error.

    `spare` is how many points more the frontier has than the law has parameters. A frontier scatters less around its
    law than the runs that compete for it. So that noise is looked for with which frontiers scatter as much when those
    runs are on the law; how far these then lie below it, by a line through log compute, is the luck.
    """
    on_N, off_N = is_best(error_N[None])[0], np.log(error_N / law_N)
    scatter = _deviation(off_N[on_N]) * math.sqrt(on_N.sum() / spare)
    if not scatter:
        return np.zeros(len(off_N))
    normal_ZN, noise = np.random.default_rng(seed).normal(size=(_SIMULATED, len(off_N))), scatter
    for _ in range(_ROUNDS):
        below_ZN = _of_frontiers(law_N, off_N, noise * normal_ZN, _ON_THE_LAW * noise)
        middle_Z1 = np.nanmedian(below_ZN, axis=1, keepdims=True)
        noise = min(noise * scatter / max(_deviation(below_ZN - middle_Z1), scatter / _MOST), _MOST * scatter)
    below_ZN = _of_frontiers(law_N, off_N, noise * normal_ZN, _ON_THE_LAW * noise)
    often_N = np.isfinite(below_ZN).sum(axis=0)
    low_N = -np.nansum(below_ZN, axis=0) / np.maximum(often_N, 1)
    line = Polynomial.fit(np.log(compute_N), low_N, 1, w=np.sqrt(often_N))
    return np.asarray(np.maximum(line(np.log(compute_N)), 0))


def _of_frontiers(law_N: Floats, off_N: Floats, noise_ZN: Floats, near: float) -> Floats:
    """The log error above a law [Z, N] of the points of frontiers, NaN elsewhere: of cells that are on the law where
    they lie nearer than `near`, and else stay where they are, with this noise.
    """
    above_ZN = np.where(off_N < near, 0.0, off_N) + noise_ZN
    return np.where(is_best(np.log(law_N) + above_ZN), above_ZN, np.nan)


def _deviation(values: Floats) -> float:
    """The standard deviation around 0 of what is normal but for outliers, and missing in places."""
    return 1.48 * float(np.nanmedian(np.abs(values)))
