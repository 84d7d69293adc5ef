"""Advice replayed: which way of spending a tenth of a study's compute predicts its largest runs best?

uv run python benchmarks/suggest.py [--paper FILE] [--chinchilla FILE] [--runs FILE ...] [--orders 20]
    [--share 0.1 ...] [--public]

--paper: columns images_seen, data_size, core_days, imagenet_10shot_error and imagenet_finetune_error. --chinchilla:
tokens, flops, loss. --runs: tables with N or params, D or tokens, loss, and unique_tokens if it varies; compute is
6 N D. Planted laws need no file. The dearest 5 % of the runs are held out; the budget is a share of what the others
cost together. Each order begins with five runs of the cheapest quarter, which count. Then runs are taken cheapest
first, at random, largest first as far as they can be paid, as the published way chooses (mspe.py), or as suggested in
eight rounds. All ways are judged twice by the root mean square of log error on the held-out runs: by the predictor of
the suggestions, and by the law that the published way fits. For planted laws, whose noise is drawn anew in each order,
the truth is held out.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import mspe
import numpy as np
import pandas as pd

from scalectl.analysis.picking import Costs, dearest, greedy
from scalectl.analysis.surrogate import outlook, positions

HELD_OUT = 0.05
BEGIN, QUARTER = 5, 0.25
ROUNDS = 8
WAYS = ("cheapest first", "random", "largest first", "published", "suggested")
JUDGES = ("our predictor", "its law")
NAMES = {"N": "params", "D": "tokens", "unique_tokens": "data_size", "loss": "error"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--paper", type=Path)
    parser.add_argument("--chinchilla", type=Path)
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="a study each, as CSV or Parquet")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--share", type=float, nargs="+", default=[0.1])
    parser.add_argument("--public", action="store_true", help="studies of files alone, none planted")
    asked = parser.parse_args()
    for share in asked.share:
        print(f"{asked.orders} orders, {share:.0%} of the compute; median log error on the largest runs")
        print(f"{'':32}{'judged by':>15}{''.join(f'{way:>16}' for way in WAYS)}{'its runs':>10}{'CPU s':>7}")
        for name, study in studies(asked.paper, asked.chinchilla, asked.runs):
            if asked.public and name.startswith("planted"):
                continue
            began = time.process_time()
            found = medians(study, asked.orders, share)
            spent = time.process_time() - began
            for place, judge in enumerate(JUDGES):
                errors = "".join(f"{found[way][place]:16.4f}" for way in WAYS)
                print(f"{name:32}{judge:>15}{errors}{found['suggested'][-1]:10.0f}{spent:7.1f}", flush=True)


def studies(
    paper: Path | None, chinchilla: Path | None, files: Sequence[Path] = ()
) -> Iterator[tuple[str, Callable[[int], pd.DataFrame]]]:
    """Each study as a function of the order's number."""
    if paper:
        for metric in ("imagenet_10shot_error", "imagenet_finetune_error"):
            runs = pd.read_csv(paper).dropna(subset=[metric]).rename(columns={metric: "error", "core_days": "cost"})
            yield f"paper, {metric.split('_')[1]}", lambda _, runs=runs: tidy(runs)
    if chinchilla:
        losses = pd.read_csv(chinchilla).rename(columns={"tokens": "images_seen", "flops": "cost", "loss": "error"})
        yield "Chinchilla", lambda _: tidy(losses)
    for file in files:
        yield file.stem, lambda _, file=file: tidy(table(file))
    yield "planted, 1 % noise", lambda seed: planted(0.1, 0.3, 0.35, 0.4, 0.3, 0.01, seed)
    yield "planted, 0.5 %, a loss", lambda seed: planted(1.7, 1.2, 0.34, 1.0, 0.28, 0.005, seed)
    yield "planted, 2 %, three data sizes", lambda seed: planted(0.02, 0.3, 0.5, 0.4, 0.5, 0.02, seed, repeated=0.1)
    yield "planted, 3 %, slow", lambda seed: planted(0.1, 0.3, 0.2, 0.4, 0.22, 0.03, seed)


def table(file: Path) -> pd.DataFrame:
    read = pd.read_parquet if file.suffix == ".parquet" else pd.read_csv
    runs = read(file).rename(columns=NAMES)
    return runs.assign(images_seen=runs["tokens"], cost=6.0 * runs["params"] * runs["tokens"])


def tidy(runs: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in ("images_seen", "data_size", "cost", "error") if name in runs]
    return runs[columns].assign(truth=runs["error"]).reset_index(drop=True)


def planted(
    floor: float, a: float, alpha: float, b: float, beta: float, noise: float, seed: int, repeated: float = 0.0
) -> pd.DataFrame:
    """Runs of 8 sizes and 8 lengths, and 3 data sizes where they matter."""
    unique = np.geomspace(1e6, 1e8, 3) if repeated else np.array([1e8])
    axes = np.meshgrid(np.geomspace(1e6, 3e9, 8), np.geomspace(1e7, 1e10, 8), unique)
    m, S, U = (axis.ravel() for axis in axes)
    truth = floor + a * (m / 1e6) ** -alpha + b * (S / 1e7) ** -beta + repeated * (U / 1e6) ** -0.4
    error = truth * np.exp(noise * np.random.default_rng(seed).normal(size=len(truth)))
    return pd.DataFrame({"images_seen": S, "data_size": U, "cost": m * S, "error": error, "truth": truth})


def medians(study: Callable[[int], pd.DataFrame], orders: int, share: float) -> dict[str, tuple[float, ...]]:
    """The median over orders of each way's error by each judge, and of the runs that it took."""
    found = {way: [replay(study(order), way, share, order) for order in range(orders)] for way in WAYS}
    return {way: tuple(np.median(one, axis=0)) for way, one in found.items()}


def replay(runs: pd.DataFrame, way: str, share: float, seed: int) -> tuple[float, ...]:
    random = np.random.default_rng(seed)
    runs = runs.sort_values("cost", kind="stable", ignore_index=True)
    count = len(runs) - max(3, int(HELD_OUT * len(runs)))
    cost, error = (runs[name].to_numpy(float)[:count] for name in ("cost", "error"))
    at, target = np.split(positions(runs, "cost"), [count])
    begun = [int(n) for n in random.choice(int(QUARTER * count), BEGIN, replace=False)]
    left = share * cost.sum() - cost[begun].sum()
    if way == "suggested":
        taken = suggested(runs, begun, left, count)
    elif way == "published":
        taken = mspe.published(at, error, cost, begun, left, target, seed)
    else:
        others = np.setdiff1d(np.arange(count), begun)
        ranked = {"cheapest first": others, "largest first": others[::-1], "random": random.permutation(others)}[way]
        taken = begun + affordable(ranked, cost, left)
    judged = (outlook(at[taken], error[taken], target).mean, mspe.predicted(at[taken], error[taken], target, seed))
    off = np.log(np.array(judged) / runs["truth"].to_numpy()[count:])
    return (*np.sqrt(np.mean(off**2, axis=1)), len(taken))


def affordable(ranked: np.ndarray, cost: np.ndarray, left: float) -> list[int]:
    found = []
    for n in ranked:
        if cost[n] <= left:
            found.append(int(n))
            left -= cost[n]
    return found


def suggested(runs: pd.DataFrame, begun: list[int], left: float, count: int) -> list[int]:
    """The runs of rounds of suggestions, each after the results of the one before."""
    at, error, held_out = positions(runs, "cost"), runs["error"].to_numpy(), np.arange(count, len(runs))
    taken, budget, each = list(begun), left, left / ROUNDS
    while True:
        pool = np.setdiff1d(np.arange(count), taken)
        pool = pool[runs["cost"].to_numpy()[pool] <= left]
        if not len(pool):
            return taken
        found = outlook(at[taken], error[taken], at[np.append(pool, held_out)])
        costs, most = Costs.of_candidates(runs.iloc[pool], "cost"), dearest(len(taken), budget)
        picks, left = greedy(found, costs, left, targets=len(held_out), spend=min(each, left), most=most)
        taken += [int(pool[pick.place]) for pick in picks]


if __name__ == "__main__":
    main()
