"""What a law of size and images says of runs that are larger than all that it knows.

uv run python benchmarks/sizes.py [--chinchilla FILE] [--gemstones FILE] [--paper FILE]

--chinchilla: params, tokens, flops, loss. --gemstones: phase, run_name, params, tokens, loss; six points of each run
are taken. --paper: params_million, gflops_per_image_224, images_seen, data_size and the two errors. Planted laws need
no file; those with repeats have the form of arXiv 2305.16264. The runs up to a tenth and a thirtieth of the largest
compute predict the others, by the law of scalectl and, beside it, by L(N, D) with the interval of 200 draws of runs.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from suggest import planted

from scalectl.analysis.bootstrap import HALF, LEVEL
from scalectl.analysis.checks import Refused
from scalectl.analysis.repetition import worth
from scalectl.analysis.surface import fit_surface
from scalectl.analysis.surrogate import outlook, positions

CUTS = (10, 30)
METRIC = "error"


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("chinchilla", "gemstones", "paper"):
        parser.add_argument(f"--{name}", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    print("| | up to | runs | scalectl: error, inside, width | L(N, D): error, inside, width |\n|---|---|---|---|---|")
    totals = []
    for name, runs in studies(asked.chinchilla, asked.gemstones, asked.paper):
        for cut in CUTS:
            known, new = (part.reset_index(drop=True) for part in split(runs, cut))
            ours, theirs = of_sizes(known, new), of_draws(known, new)
            totals.append(ours)
            print(f"| {name} | 1/{cut} | {len(known)} | {shown(ours)} | {shown(theirs)} |", flush=True)
    error, inside, width = np.array(totals).T
    print(f"geometric mean error {geometric(error):.4f}, width {geometric(width):.3f}; inside {inside.mean():.2f}")


def split(runs: pd.DataFrame, cut: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    cheap = runs["flops"] <= runs["flops"].max() / cut
    return runs[cheap], runs[~cheap]


def of_sizes(known: pd.DataFrame, new: pd.DataFrame) -> tuple[float, float, float]:
    found = outlook(positions(known, "flops"), known[METRIC].to_numpy(float), positions(new, "flops"))
    factor = np.exp(HALF * found.deviation)
    return scored(new[METRIC].to_numpy(float), found.mean, found.mean / factor, found.mean * factor)


def of_draws(known: pd.DataFrame, new: pd.DataFrame) -> tuple[float, float, float] | None:
    N, D = new["params"].to_numpy(float), new["images_seen"].to_numpy(float)
    try:
        surface = fit_surface(known["params"], known["images_seen"], known[METRIC])
    except Refused:
        return None
    E, A, B, alpha, beta = surface.draws(200).T[:, :, None]
    drawn = E + A * N**-alpha + B * D**-beta
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return scored(new[METRIC].to_numpy(float), surface.predict(N, D), low, high)


def scored(got: np.ndarray, said: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    off = np.log(got / said)
    inside = np.mean((low <= got) & (got <= high))
    return float(np.sqrt(np.mean(off**2))), float(inside), float(np.mean(np.log(high / low)))


def shown(score: tuple[float, float, float] | None) -> str:
    if score is None:
        return "refused"
    error, inside, width = score
    return f"{error:.4f}, {inside:.2f}, {width:.3f}"


def geometric(values: np.ndarray) -> float:
    return float(np.exp(np.log(values).mean()))


def studies(chinchilla: Path | None, gemstones: Path | None, paper: Path | None) -> Iterator[tuple[str, pd.DataFrame]]:
    names = {"tokens": "images_seen", "loss": METRIC}
    if chinchilla:
        yield "Chinchilla", pd.read_csv(chinchilla).rename(columns=names)
    if gemstones:
        for phase, runs in pd.read_csv(gemstones).rename(columns=names).groupby("phase"):
            runs = runs.assign(flops=6.0 * runs["params"] * runs["images_seen"])
            yield f"Gemstones, {phase}", pd.concat([thinned(run) for _, run in runs.groupby("run_name")])
    if paper:
        every = pd.read_csv(paper)
        every = every.assign(
            params=1e6 * every["params_million"], flops=3e9 * every["gflops_per_image_224"] * every["images_seen"]
        )
        for metric in ("imagenet_10shot_error", "imagenet_finetune_error"):
            yield f"paper, {metric.split('_')[1]}", every.dropna(subset=[metric]).rename(columns={metric: METRIC})
    yield "planted, 1 % noise", sized(planted(0.1, 0.3, 0.35, 0.4, 0.3, 0.01, 0))
    yield "planted, 0.5 %, a loss", sized(planted(1.7, 1.2, 0.34, 1.0, 0.28, 0.005, 1))
    yield "planted, 0.5 %, a low floor", sized(planted(0.02, 0.3, 0.5, 0.4, 0.5, 0.005, 4))
    yield "planted, 3 %, slow", sized(planted(0.1, 0.3, 0.2, 0.4, 0.22, 0.03, 2))
    yield "planted, 2 %, three data sizes", sized(planted(0.02, 0.3, 0.5, 0.4, 0.5, 0.02, 3, repeated=0.1))
    for decay in (5.0, 15.4, 30.0):
        yield f"planted, repeats of R = {decay:g}", repeats(decay)


def thinned(run: pd.DataFrame) -> pd.DataFrame:
    return run.iloc[np.unique(np.geomspace(1, len(run), 6).astype(int) - 1)]


def sized(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.rename(columns={"cost": "flops"}).assign(params=runs["cost"] / runs["images_seen"] / 6)


def repeats(decay: float) -> pd.DataFrame:
    axes = np.meshgrid(np.geomspace(1e6, 3e9, 8), np.geomspace(1e6, 1e9, 8), np.geomspace(1e6, 1e8, 3))
    m, S, U = (axis.ravel() for axis in axes)
    error = 0.05 + 0.3 * (m / 1e6) ** -0.35 + 0.4 * (worth(S, U, decay) / 1e7) ** -0.3
    error = error * np.exp(0.005 * np.random.default_rng(1).normal(size=len(m)))
    return pd.DataFrame({"images_seen": S, "data_size": U, "flops": m * S, "params": m / 6, METRIC: error})


if __name__ == "__main__":
    main()
