"""Tables of runs made by hand: planted laws, and the paper's runs where they are at hand."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scalectl.analysis.law import Law, family

METRIC = "upstream/error"
SHARED = Path(os.environ.get("SCALECTL_SHARED") or Path(__file__).parents[2] / "shared")


def doubly(scale: float, offset: float, exponent: float, floor: float, unit: str) -> Law:
    """The paper's law with these parameters."""
    return family("doubly-saturating").law(unit, scale=scale, offset=offset, exponent=exponent, floor=floor)


def table(compute: Sequence[float], error: Sequence[float], **columns: object) -> pd.DataFrame:
    """Runs that are done, one at each compute, of two models in turn."""
    names = [f"run-{n:03d}" for n in range(len(compute))]
    frame = pd.DataFrame({"run": names, "name": names, "state": "done", "excluded": False})
    frame["model"] = np.where(np.arange(len(names)) % 2, "femto", "pico")
    sizes = {"params": 3700, "data_size": 350, "steps": 20, "seed": 0}
    return frame.assign(**sizes, flops=np.asarray(compute, float), **{METRIC: np.asarray(error, float)}, **columns)


def planted(law: Law, low: float, high: float, on: int, above: int, noise: float, seed: int) -> pd.DataFrame:
    """Runs on a law, and others that are 10 % and more above it, all with relative noise."""
    random = np.random.default_rng(seed)
    compute = np.exp(random.uniform(np.log(low), np.log(high), on + above))
    worse = np.append(np.ones(on), 1.1 + random.exponential(0.3, above))
    return table(compute, law(compute) * worse * (1 + noise * random.normal(size=on + above)))


def laptop() -> pd.DataFrame:
    """A study like that of experiments.yaml: 3 models, 3 data sizes, 4 budgets."""
    random, rows = np.random.default_rng(37), []
    for model, params, each in (("nano", 4_300, 2.3e7), ("micro", 28_000, 1.6e8), ("mini", 140_000, 8.3e8)):
        for size in (100, 350, 1400):
            for steps in (200, 400, 800, 1600):
                error = 0.012 + 2.2 * params**-0.45 + 0.8 * size**-0.5 + 26 * (steps * (params / 4e3) ** 0.3) ** -0.66
                rows.append((model, params, size, steps, each * steps, min(error * (1 + 0.03 * random.normal()), 0.9)))
    model, params, size, steps, compute, error = (list(column) for column in zip(*rows, strict=True))
    return table(compute, error).assign(model=model, params=params, data_size=size, steps=steps)


def shared(name: str) -> Path:
    """A file of the shared data; skips where it is not at hand."""
    file = SHARED / name
    if not file.exists():
        pytest.skip(f"needs {file}: set SCALECTL_SHARED to the folder of shared data")
    return file


def paper() -> pd.DataFrame:
    """The runs that Figure 2 of arXiv 2106.04560 draws, read off it; skips where they are not at hand."""
    found = pd.read_csv(shared("data/paper/jft_runs.csv"))
    frame = table(found["core_days"], found["imagenet_10shot_error"])
    columns = {"model": found["size"], "data_size": found["data_size"], "core_days": found["core_days"]}
    params = (1e6 * found["params_million"]).astype(int)
    return frame.assign(**columns, params=params, steps=found["steps"])
