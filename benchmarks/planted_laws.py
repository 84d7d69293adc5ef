"""Studies planted on laws, and how well intervals of fits to them hold what was planted: a table of docs/laws.md.

`python benchmarks/laws.py --tables STUDIES` prints them. A row is a kind of study. Bias and error are those of the
prediction at the largest compute and ten times beyond it; coverage and width, in log error, are inside the runs and up
to ten times beyond.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.checks import Refused
from scalectl.analysis.estimation import estimated
from scalectl.analysis.fitting import fit
from scalectl.analysis.sample import Manner

DRAWS = 200
FLOPS = 1e12  # of a unit of compute
LAWS: dict[str, Callable[[Any], Any]] = {
    "doubly saturating": lambda C: 0.4 * (C + 3.0) ** -0.35 + 0.03,
    "saturating": lambda C: 0.4 * C**-0.3 + 0.05,
    "power": lambda C: 0.5 * C**-0.2,
    "shifted": lambda C: 0.9 * (C + 5.0) ** -0.3,
}


@dataclass(frozen=True)
class Kind:
    """A kind of planted study: its number of runs, its noise, and how a law is fitted to it."""

    on: int = 16  # runs on the law
    above: int = 0  # runs that are at least 10 % above it
    noise: float = 0.02  # of each run, as a share of its error
    images: int = 0  # of the test, where it is known
    seeds: int = 1
    same_images: bool = False  # for all runs, or others for each
    trunks: int = 0  # models that have one each and share their noise; none: runs alone
    shared: float = 0.0
    bend: float = 0.0  # of the exponent from a hundredth to a third of the largest compute on
    floor: float | None = None  # reached by a third of the runs, in place of the laws above
    options: tuple[tuple[str, Any], ...] = ()


TABLES: dict[str, dict[str, Kind]] = {
    "Intervals": {
        "16 on the law, 60 above, 2 %": Kind(above=60),
        "24 on the law, 200 above, 2 %": Kind(on=24, above=200),
        "12 on the law, none above, 0.5 %": Kind(on=12, noise=0.005),
    },
    "Floors that are reached": {
        "3 %, noise of 3 %": Kind(on=30, noise=0.03, floor=0.03),
        "3 %, noise of 6 %": Kind(on=30, noise=0.06, floor=0.03),
    },
    "Noise that is known": {
        "two seeds, own images": Kind(20, 20, 0.0, 360, 2, options=(("correlation", 0.0),)),
        "two seeds, the same images": Kind(20, 20, 0.0, 360, 2, same_images=True),
        "one seed, own images": Kind(20, 20, 0.0, 360, options=(("correlation", 0.0),)),
        "one seed, 5,000 images": Kind(20, 20, 0.0, 5000),
    },
    "Trunks that share noise": {
        "8 trunks of 12 runs, 2 % shared": Kind(noise=0.002, trunks=8, shared=0.02),
        "8 trunks of 12 runs, 4 % shared": Kind(noise=0.002, trunks=8, shared=0.04),
        "8 trunks of 12 runs, none shared": Kind(noise=0.01, trunks=8),
    },
    "Laws that bend": {
        "a steeper end": Kind(on=45, noise=0.01, bend=0.25),
        "a flatter end": Kind(on=45, noise=0.01, bend=-0.1),
    },
}


def tables(studies: int) -> None:
    """Print a table for each group of kinds, each kind from so many studies of each law."""
    for name, kinds in TABLES.items():
        print(f"\n{name:34}{'studies':>8}{'bias':>8}{'error':>7}  {'inside, width':14}{'beyond, width':15}{'CPU s':>6}")
        for kind, made in kinds.items():
            began = time.process_time()
            row = scored(made, studies)
            spent = time.process_time() - began
            print(f"{kind:34}{row} {spent:5.0f}", flush=True)
            if made.bend:
                print(f"{'  not widened by the backtest':34}{scored(made, studies, widened=False)}", flush=True)


def scored(kind: Kind, studies: int, *, widened: bool = True) -> str:
    """Bias, error, coverage and width of a kind of study, as they are printed."""
    rows = list(_scores(kind, studies, widened))
    bias, off, inside, width, beyond, wide = np.mean(rows, axis=0)
    error = np.sqrt(off)
    return f"{len(rows):8}{100 * bias:6.1f} %{error:7.3f}  {inside:.2f}, {width:.3f}   {beyond:.2f}, {wide:.3f}"


def _scores(kind: Kind, studies: int, widened: bool) -> Iterator[tuple[float, ...]]:
    laws = LAWS
    if kind.floor is not None:
        laws = {"floor": lambda C, floor=kind.floor: floor + 0.4 * C**-0.5}
    for seed in range(studies):
        for law in laws.values():
            points = study(kind, law, seed)
            try:
                if widened:
                    fitted = fit(points, "error", draws=DRAWS, **dict(kind.options))
                else:
                    fitted = estimated(points, "error", "flops", (), Manner(draws=DRAWS))
            except Refused:
                continue
            first, last = fitted.frontier["flops"].to_numpy(float)[[0, -1]]
            row = []
            for at in (np.geomspace(first, last, 7), last * np.array([2.0, 4.0, 10.0])):
                (low, high), truth = fitted.band(at), truth_of(kind, law)(at / FLOPS)
                row += [float(np.mean((low <= truth) & (truth <= high))), float(np.mean(np.log(high / low)))]
            ends = np.array([last, 10 * last])
            off = np.log(fitted(ends) / truth_of(kind, law)(ends / FLOPS))
            yield (float(off[0]), float(off[1] ** 2), *row)


def truth_of(kind: Kind, law: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The law of a study, with the bend of its end where the kind has one."""
    if not kind.bend:
        return law
    return lambda C: law(C) * np.maximum(C / 10**3.2, 1.0) ** -kind.bend


def study(kind: Kind, law: Callable[[Any], Any], seed: int) -> pd.DataFrame:
    """The runs of a planted study."""
    random, truth = np.random.default_rng(seed), truth_of(kind, law)
    if kind.trunks:
        return _of_trunks(kind, truth, random)
    count = kind.on + kind.above
    compute = np.sort(10 ** random.uniform(0, 4, count))
    worse = random.permutation(np.append(np.ones(kind.on), 1.1 + random.exponential(0.3, kind.above)))
    error = np.clip(truth(compute) * worse, 0, 0.99)
    frames, common = [], random.normal()
    for number in range(kind.seeds):
        measured = error * np.exp(kind.noise * random.normal(size=count))
        if kind.images:
            measured = _counted(error, kind, random, common)
        frames.append(table(compute, measured).assign(seed=number, steps=np.arange(count)))
    points = pd.concat(frames, ignore_index=True)
    names = [f"{number:04d}" for number in range(len(points))]
    points = points.assign(run=names, name=names)
    if kind.images:
        points = points.assign(test_images=kind.images)
    return points


def _counted(error: np.ndarray, kind: Kind, random: np.random.Generator, common: float) -> np.ndarray:
    """Errors counted on test images; where these are the same for all, half of the noise is `common` to all."""
    deviation = np.sqrt(error * (1 - error) / kind.images)
    own = random.normal(size=len(error))
    if kind.same_images:
        own = np.sqrt(0.5) * (own + common)
    return np.clip(error + deviation * own, 0.5 / kind.images, 1)


def _of_trunks(kind: Kind, truth: Callable[[Any], Any], random: np.random.Generator) -> pd.DataFrame:
    """Models of a trunk each, best at a compute of their own, and 12 runs of each."""
    middle = np.repeat(10 ** (4 * (np.arange(kind.trunks) + 0.5) / kind.trunks), 12)
    compute = middle * np.tile(np.logspace(-1, 1, 12), kind.trunks)
    common = kind.shared * np.repeat(random.normal(size=kind.trunks), 12)
    worse = 1 + 0.04 * np.log(compute / middle) ** 2
    error = truth(compute) * worse * np.exp(common + kind.noise * random.normal(size=len(compute)))
    models = [f"m{size:.4g}" for size in middle]
    points = table(compute, error).assign(model=models, steps=(100 * compute / middle).astype(int))
    points = points[compute <= 1.01 * middle.max()].reset_index(drop=True)
    points.attrs["columns"] = {"model": "trunk", "seed": "trunk", "error": "metric"}
    return points


def table(compute: np.ndarray, error: np.ndarray) -> pd.DataFrame:
    """Runs of two models in turn at these units of compute."""
    names = [f"{number:04d}" for number in range(len(compute))]
    runs = pd.DataFrame({"run": names, "name": names, "state": "done", "excluded": False, "seed": 0})
    models = np.where(np.arange(len(runs)) % 2, "a", "b")
    return runs.assign(model=models, flops=compute * FLOPS, digest="", error=error)
