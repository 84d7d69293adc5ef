"""Laws beside what is used elsewhere, in one run: frontiers fitted, curves extrapolated, and L(N, D) fitted.

uv run python benchmarks/laws.py --tables STUDIES
uv run python benchmarks/laws.py [--curves FILE] [--cut SHARE] [--surface FILE] [--axis STARTS]
uv run --with chinchilla python benchmarks/laws.py --surface FILE

Tables and frontiers need no file: runs are planted on a law and above it. FILE of curves: columns curve, x, y and
split (train or test). FILE of runs: columns params, tokens and loss. The literature's way is a grid of starts, each by
SciPy's L-BFGS; so does the package `chinchilla` when it is installed, by BFGS with numerical gradients. --axis is the
number of starts along each of the five axes.
"""

import argparse
import itertools
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from planted_laws import tables
from scipy.optimize import curve_fit, minimize

from scalectl.analysis import extrapolate, fit_surface
from scalectl.analysis.fitting import fit
from scalectl.analysis.noise import relative

DELTA = 1e-3
# Hoffmann et al., arXiv 2203.15556, appendix D.3: log E, log A, log B, alpha, beta; from, to
GRID = ((-1, 1), (0, 25), (0, 25), (0, 2), (0, 2))
PUBLISHED = (1.8169, 482.01, 2085.43, 0.3478, 0.3659)  # Besiroglu et al., arXiv 2404.10102


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--cut", type=float, help="train on x up to this share of the largest, whatever `split` says")
    parser.add_argument("--surface", type=Path)
    parser.add_argument("--axis", type=int, default=3)
    parser.add_argument("--tables", type=int, help="only the tables of docs/laws.md, from so many studies of each law")
    asked = parser.parse_args()
    if asked.tables:
        tables(asked.tables)
        return
    for on, above in ((24, 12), (30, 270)):
        frontiers(on, above)
    if asked.curves:
        curves(asked.curves, asked.cut)
    if asked.surface:
        surface(asked.surface, asked.axis)


def frontiers(on: int, above: int) -> None:
    """One law of a planted study with and without draws, and SciPy's curve_fit of the same points and loss."""
    points = planted(on, above)
    found = fit(points, "error", draws=0)
    compute, error = found.frontier[["flops", "error"]].to_numpy(float).T
    print(f"\n{len(points)} runs, {len(error)} on the frontier{'loss':>38}{'CPU s':>9}")

    def show(name: str, way: Callable[[], Callable[[np.ndarray], np.ndarray]]) -> None:
        spent = []
        for _ in range(3):
            began = time.process_time()
            law = way()
            spent.append(time.process_time() - began)
        loss = huber((law(compute) - error) / relative(error), found.delta).sum()
        print(f"{name:60}{1e6 * loss:9.3f}e-6{min(spent):9.4f}", flush=True)

    show("fit, no draws, with all that the report checks", lambda: fit(points, "error", draws=0))
    show("scipy curve_fit, the same loss, one start", lambda: doubly(compute, error, found.delta))
    show("fit, 1000 draws of the runs", lambda: fit(points, "error", draws=1000))
    began, draws = time.process_time(), np.random.default_rng(0).integers(len(error), size=(50, len(error)))
    lost = sum(failed(compute[drawn], error[drawn], found.delta) for drawn in draws)
    spent = 20 * (time.process_time() - began)
    print(f"{f'scipy curve_fit, 1000 draws of these points: 20 times 50, {lost} of them failed':60}{spent:22.4f}\n")


def planted(on: int, above: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    compute = np.exp(random.uniform(np.log(1e9), np.log(1e12), on + above))
    worse = np.append(np.ones(on), 1.1 + random.exponential(0.3, above)) * (1 + 0.02 * random.normal(size=on + above))
    runs = pd.DataFrame({"run": [f"{n:04d}" for n in range(on + above)], "state": "done", "excluded": False})
    runs["name"], runs["model"], runs["digest"] = runs["run"], np.where(np.arange(len(runs)) % 2, "a", "b"), ""
    return runs.assign(flops=compute, error=(800 * (compute + 3e9) ** -0.33 + 0.03) * worse)


def doubly(compute: np.ndarray, error: np.ndarray, delta: float) -> Callable[[np.ndarray], np.ndarray]:
    """The doubly saturating law as one would fit it with care: rescaled, a start from the data, bounds."""

    def law(x, a, b, c, d):
        return a * (x + d) ** -b + c

    middle, best = np.exp(np.log(compute).mean()), error.min()
    start, most = (error.mean() - best / 2, 0.4, best / 2, compute.min() / middle), 10 * compute.max() / middle
    bounds = ((0, 0.01, 0, 0), (np.inf, 5, best, most))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at, _ = curve_fit(
            law,
            compute / middle,
            error,
            start,
            relative(error),
            bounds=bounds,
            loss="huber",
            f_scale=delta,
            max_nfev=2000,
        )
    return lambda x: law(x / middle, *at)


def failed(compute: np.ndarray, error: np.ndarray, delta: float) -> bool:
    try:
        doubly(compute, error, delta)
    except (RuntimeError, ValueError):  # its words for: not converged, no such start
        return True
    return False


def curves(file: Path, cut: float | None) -> None:
    parts = list(split(pd.read_csv(file), cut))
    extrapolate(*parts[0][:3])
    print(f"{len(parts)} curves{'' if cut is None else f', cut at {cut:g}'}")
    print(f"{'':34}{'error':>8}{'inside 90 %':>13}{'failed':>8}{'s, median':>11}{'s, all':>8}")
    ways = {"last value repeated": stand_still, "scipy curve_fit, a x^-b + c": saturating, "extrapolate": extrapolate}
    for name, way in ways.items():
        scores, seconds = [], []
        for x, y, ahead, truth in parts:
            began = time.perf_counter()
            try:
                found = way(x, y, ahead)
            except RuntimeError:  # curve_fit's word for: not converged
                found = None
            seconds.append(time.perf_counter() - began)
            scores.append(score(found, truth) if found else (*score(stand_still(x, y, ahead), truth)[:1], np.nan))
        errors, inside = np.transpose(scores)
        failed = int(np.isnan(inside).sum()) if way is not stand_still else 0
        cover = np.nanmean(inside) if failed < len(parts) and way is not stand_still else math.nan
        print(f"{name:34}{errors.mean():8.4f}{cover:13.2f}{failed:8}{np.median(seconds):11.4f}{np.sum(seconds):8.2f}")


def split(table: pd.DataFrame, cut: float | None):
    for _, points in table.groupby("curve"):
        x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
        known = (points["split"] == "train").to_numpy() if cut is None else x <= cut * x.max()
        if known.sum() >= 8 and not known.all():
            yield x[known], y[known], x[~known], y[~known]


def score(found: tuple, truth: np.ndarray) -> tuple[float, float]:
    """The root of the mean square of log error, and the share of points inside."""
    y, low, high = found
    return float(np.sqrt(np.mean(np.log(y / truth) ** 2))), float(np.mean((low <= truth) & (truth <= high)))


def stand_still(x: np.ndarray, y: np.ndarray, ahead: np.ndarray) -> tuple:
    last = np.full(len(ahead), y[-1])
    return last, last, last


def saturating(x: np.ndarray, y: np.ndarray, ahead: np.ndarray) -> tuple:
    """SciPy's curve_fit as one would use it with care: x rescaled, a start from the data, the floor below the best."""

    def law(x, a, b, c):
        return a * x**-b + c

    middle = np.exp(np.log(x).mean())
    start, bounds = (y.mean() / 2, 0.5, y.min() / 2), ((0, 0, 0), (np.inf, 5, y.min()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a covariance that can't be estimated
        at, covariance = curve_fit(law, x / middle, y, start, bounds=bounds)
    a, b, c = at
    z = ahead / middle
    slopes = np.stack([z**-b, -a * np.log(z) * z**-b, np.ones_like(z)], axis=1)
    noise = np.sum((law(x / middle, *at) - y) ** 2) / max(len(x) - 3, 1)
    reach = 1.645 * np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", slopes, covariance, slopes), 0) + noise)
    return law(z, a, b, c), law(z, a, b, c) - reach, law(z, a, b, c) + reach


def surface(file: Path, axis: int) -> None:
    N, D, L = pd.read_csv(file)[["params", "tokens", "loss"]].to_numpy(float).T
    fit_surface(N, D, L)
    print(f"\n{len(N)} runs, {axis**5} starts elsewhere")
    print(f"{'':34}{'loss':>11}{'E':>8}{'A':>9}{'B':>9}{'alpha':>8}{'beta':>8}{'s':>9}")

    def show(name: str, way: Callable[[], tuple[float, ...]]) -> None:
        began = time.perf_counter()
        E, A, B, alpha, beta = way()
        spent = time.perf_counter() - began
        loss = huber(np.log(E + A * N**-alpha + B * D**-beta) - np.log(L)).sum()
        print(f"{name:34}{1e6 * loss:9.3f}e-6{E:8.4f}{A:9.2f}{B:9.2f}{alpha:8.4f}{beta:8.4f}{spent:9.3f}")

    show("published, 240 runs", lambda: PUBLISHED)
    show("fit_surface", lambda: parameters(fit_surface(N, D, L)))
    show("grid of starts, scipy L-BFGS", lambda: grid_of_starts(N, D, L, axis))
    if find_spec("chinchilla"):
        show("package chinchilla", lambda: chinchilla(N, D, L, axis))
    found = fit_surface(N, D, L)
    began = time.perf_counter()
    found.bootstrap(200)
    print(f"{'200 bootstraps of fit_surface':34}{time.perf_counter() - began:71.3f}")


def parameters(found) -> tuple[float, ...]:
    return found.E, found.A, found.B, found.alpha, found.beta


def huber(off: np.ndarray, delta: float = DELTA) -> np.ndarray:
    far = np.abs(off)
    return np.where(far <= delta, far**2 / 2, delta * (far - delta / 2))


def grid_of_starts(N: np.ndarray, D: np.ndarray, L: np.ndarray, axis: int) -> tuple[float, ...]:
    log_n, log_d, log_l = np.log(N), np.log(D), np.log(L)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        e, a, b, alpha, beta = at
        logs = np.stack([np.full(len(L), e), a - alpha * log_n, b - beta * log_d])
        total = np.logaddexp.reduce(logs)
        share = np.exp(logs - total)
        slopes = np.stack([*share, -log_n * share[1], -log_d * share[2]])
        off = total - log_l
        return huber(off).sum() / DELTA, slopes @ np.clip(off, -DELTA, DELTA) / DELTA

    starts = itertools.product(*(np.linspace(*ends, axis) for ends in GRID))
    ends = (minimize(loss, start, jac=True, method="L-BFGS-B") for start in starts)
    e, a, b, alpha, beta = min(ends, key=lambda end: end.fun).x
    return math.exp(e), math.exp(a), math.exp(b), alpha, beta


def chinchilla(N: np.ndarray, D: np.ndarray, L: np.ndarray, axis: int) -> tuple[float, ...]:
    from chinchilla import Chinchilla

    def loss(truth, predicted):
        return huber(np.log(truth) - np.log(predicted)) / DELTA**2  # about 1, or BFGS stops where it starts

    keys = ("e", "a", "b", "alpha", "beta")
    grid = {key: np.linspace(*ends, axis) for key, ends in zip(keys, GRID, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        pd.DataFrame({"C": 6 * N * D, "N": N, "D": D, "loss": L}).to_csv(Path(folder) / "df.csv", index=False)
        seeds = {"C": (1e18, 1e21), "N_to_D": (5, 100)}
        theirs = Chinchilla(folder, param_grid=grid, seed_ranges=seeds, loss_fn=loss, log_level=40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.fit()
    return theirs.E, theirs.A, theirs.B, theirs.alpha, theirs.beta


if __name__ == "__main__":
    main()
