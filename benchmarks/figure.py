"""How long the frontier of many runs takes to fit and to draw, beside Matplotlib's own scatter of the same points.

uv run python benchmarks/figure.py [--runs 10000]

Runs are of seven models and five data sizes, on a law and above it, each on a trunk of its own, as imported runs are.
Seconds are of CPU, the least of three; files are PNGs.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.fitting import fit
from scalectl.analysis.plotting import draw

METRIC, ROUNDS = "upstream/error", 3


def runs(count: int) -> pd.DataFrame:
    """Return so many runs that are done, with `points`' columns that a figure needs."""
    random, number = np.random.default_rng(5), np.arange(count)
    compute = np.exp(random.uniform(np.log(1e12), np.log(1e20), count))
    error = (5 * compute**-0.1 + 0.02) * (1 + random.exponential(0.3, count))
    names = [f"run-{n}" for n in number]
    table = pd.DataFrame({"run": names, "name": names, "state": "done", "excluded": False, "seed": number})
    table["model"], table["data_size"] = [f"m{n % 7}" for n in number], 1000 * (number % 5 + 1)
    return table.assign(params=1000 * 2 ** (number % 7), steps=100, flops=compute, **{METRIC: error})


def seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def scatter(points: pd.DataFrame, file: Path) -> None:
    """Draw the points alone, in colours by model."""
    figure = Figure(figsize=(3.4, 3.0))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.scatter(points["flops"], points[METRIC], c=points["model"].str[1:].astype(int), s=points["data_size"] / 100)
    axes.set(xscale="log", yscale="log")
    figure.savefig(file, dpi=300)


def main() -> None:
    """Print the seconds of each side and their ratio."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--runs", type=int, default=10_000)
    points = runs(asked.parse_args().runs)
    law = fit(points, METRIC, "flops")
    with tempfile.TemporaryDirectory() as folder:
        plain, ours = Path(folder) / "plain.png", Path(folder) / "frontier.png"
        peer = seconds(lambda: scatter(points, plain))
        drawn = seconds(lambda: draw("frontier", Subject(points, METRIC, "flops", law)).save(ours))
    print(f"{len(points):,} runs: frontier {drawn:.2f} s, Matplotlib's scatter {peer:.2f} s, ratio {drawn / peer:.1f}")


if __name__ == "__main__":
    main()
