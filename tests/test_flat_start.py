"""Laws of frontiers that start flat: where they are doubted, and where not."""

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, doubly, paper, table

from scalectl.analysis.fitting import fit

COMPUTE = np.geomspace(1e11, 1e15, 30)
NOISE = np.exp(0.003 * np.random.default_rng(1).normal(size=30))
TWO_LAWS = 0.9 * (1 + (COMPUTE / 1e12) ** 3) ** -0.3 * (1 + (COMPUTE / 1e13) ** 3) ** 0.25  # steep, and later flat


def runs(error: np.ndarray) -> pd.DataFrame:
    """Runs with these errors and little noise."""
    return table(COMPUTE, error * NOISE)


def told(points: pd.DataFrame, x: str = "flops", **options: str) -> list[str]:
    """What is said of a flat start."""
    warnings = fit(points, METRIC, x, draws=100, **options).warnings
    return [warning for warning in warnings if "hardly fall" in warning]


def test_the_runs_are_named_whose_own_law_predicts_something_else():
    logistic = runs(0.02 + 0.88 / (1 + (COMPUTE / 1e13) ** 1.2))
    (said,) = told(logistic)
    place, where = said.split("flops>=")
    least = float(where.rstrip('"'))
    assert place.endswith('compare --where "')
    assert not told(logistic[logistic["flops"] >= least].reset_index(drop=True))


def test_points_that_lie_on_one_side_of_the_law_are_told():
    assert len(told(runs(TWO_LAWS))) == 1


def test_runs_of_one_trunk_may_lie_on_one_side_of_a_law():
    of_trunks = runs(TWO_LAWS).assign(model=np.repeat(["femto", "pico"], 15))
    of_trunks.attrs["columns"] = {"model": "trunk", "seed": "trunk", METRIC: "metric"}
    assert not told(of_trunks)


def test_a_law_of_all_runs_is_not_doubted():
    assert not told(runs(TWO_LAWS), runs="all")


@pytest.mark.parametrize("law", [doubly(8e2, 3e9, 0.33, 0.03, "FLOPs"), doubly(4e3, 0.0, 0.3, 0.0, "FLOPs")])
def test_laws_without_a_flat_start_are_not_doubted(law):
    assert not told(runs(law(COMPUTE)))


def test_the_runs_of_the_paper_start_flat_and_their_law_follows_them():
    assert not told(paper(), "core_days")
