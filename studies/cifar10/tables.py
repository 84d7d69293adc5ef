"""What the tables of this folder have, and how numbers of them are written.

points.parquet has the runs of study.yaml, and isoflop, peer, decay and pooling.parquet those of the YAML files of these
names.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SUPPORT = 2.0  # AICc that a simpler law is worse by, from which on a parameter is shown
ERROR, FEW_SHOT = "upstream/error", "fewshot/cifar10/10shot/error"


def done(name: str = "points") -> pd.DataFrame:
    """The runs of a table that are done."""
    points = pd.read_parquet(HERE / f"{name}.parquet")
    return points[points["state"] == "done"].reset_index(drop=True)


def of_recipe() -> pd.DataFrame:
    """The runs of study.yaml and isoflop.yaml, which have one recipe."""
    points = done()
    return pd.concat([points, done("isoflop")[points.columns]], ignore_index=True)


def runs() -> pd.DataFrame:
    """The runs of the grid that are done, cheapest first."""
    points = scaling()
    return points[points["state"] == "done"].sort_values("flops", ignore_index=True)


def scaling() -> pd.DataFrame:
    """All runs of the study itself; those of other parts have other recipes."""
    points = pd.read_parquet(HERE / "points.parquet")
    return points[points["study"] == "cifar10"].reset_index(drop=True)


def means() -> pd.DataFrame:
    """The runs with seeds averaged."""
    cell = ["model", "params", "data_size", "steps", "images_seen"]
    return runs().groupby(cell, observed=True, as_index=False)[[ERROR, FEW_SHOT]].mean()


def by_size(done: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """The runs of each model, smallest first."""
    for _, group in done.groupby("params"):
        yield str(group["model"].iloc[0]), group


def images(error_N: np.ndarray, seen_N: np.ndarray, error: float) -> str:
    """The images at which a falling curve comes down to an error, in log-log; a dash where it doesn't."""
    if not error_N.min() <= error <= error_N.max():
        return "-"
    return f"{crossing(error_N, seen_N, error):,.0f}"


def crossing(error_N: np.ndarray, seen_N: np.ndarray, error: float) -> float:
    """The images at which a falling curve, which reaches an error, comes down to it, in log-log."""
    return float(np.exp(np.interp(-np.log(error), -np.log(error_N), np.log(seen_N))))


def spread(values: pd.Series) -> str:
    """A mean of seeds, the standard deviation between them, and their number."""
    return f"{100 * values.mean():.1f} ± {100 * values.std():.1f} % ({len(values)})"


def marked(text: str, is_best: bool) -> str:
    """A cell of a table, in bold where it is the best one."""
    return f"**{text}**" if is_best else text


def percent(value: float) -> str:
    """An error in per cent; a dash where there is none."""
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def shown(gain: float) -> str:
    """Whether a law without a parameter is so much worse that the runs show it."""
    return "is shown" if gain > SUPPORT else "is not shown"
