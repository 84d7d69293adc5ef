"""The best runs at each compute."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import METRIC, table

from scalectl.analysis.checks import Refused
from scalectl.analysis.runs import frontier


def front(points: pd.DataFrame) -> list[str]:
    return list(frontier(points, METRIC)["run"])


def test_a_run_is_on_it_when_no_cheaper_one_is_as_good():
    points = table([8e9, 1e9, 4e9, 2e9, 16e9], [0.31, 0.8, 0.4, 0.45, 0.37])
    assert front(points) == ["run-001", "run-003", "run-002", "run-000"]


def test_of_equally_good_runs_the_cheapest_counts_and_of_equal_runs_the_first_id():
    points = table([4e9, 2e9, 2e9, 2e9], [0.37, 0.37, 0.41, 0.37])
    assert front(points) == ["run-001"]


def test_compute_that_differs_by_the_rounding_of_sizes_and_tokens_is_one():
    """Seven sizes of one budget were a frontier of three and more points, most of them far from the best."""
    points = table([1e18, 1.0000003e18, 1.001e18, 1.0000001e18, 3e18], [0.5, 0.4, 0.45, 0.42, 0.3])
    assert front(points) == ["run-001", "run-004"]
    assert front(table([1e18, 1.01e18], [0.5, 0.4])) == ["run-000", "run-001"]


def test_runs_that_are_not_done_or_were_excluded_or_not_measured_do_not_count():
    points = table([1e9, 2e9, 3e9, 4e9, 5e9], [0.9, 0.1, 0.2, np.nan, 0.5])
    points.loc[1, "state"], points.loc[2, "excluded"] = "diverged", True
    assert front(points) == ["run-000", "run-004"]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=30), st.randoms())
def test_it_holds_exactly_the_runs_that_no_other_beats_in_any_order_of_rows(cells, random):
    points = table([float(compute) for compute, _ in cells], [error / 10 for _, error in cells])
    found = frontier(points, METRIC)
    best = {
        (compute, error)
        for compute, error in cells
        if not any(c <= compute and e < error for c, e in cells)
        and not any(c < compute and e == error for c, e in cells)
    }
    assert {(int(c), round(10 * e)) for c, e in zip(found["flops"], found[METRIC], strict=True)} == best
    order = random.sample(range(len(cells)), len(cells))
    pd.testing.assert_frame_equal(frontier(points.iloc[order], METRIC), found)


def test_an_unknown_metric_is_refused_with_the_nearest_and_all_known():
    with pytest.raises(Refused, match=r"did you mean 'upstream/error'.*store has upstream/error"):
        frontier(table([1e9], [0.5]), "upstrem/eror")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({METRIC: np.nan}, "none of 2 done runs has upstream/error"),
        ({"state": "running"}, "no run is done"),
        ({METRIC: np.inf}, "run run-000 has upstream/error = inf"),
        ({METRIC: -0.1}, "upstream/error = -0.1"),
        ({"flops": 0.0}, "flops = 0"),
        ({"run": "twin"}, "run twin is in the table twice"),
    ],
)
def test_numbers_that_no_run_can_have_are_refused_with_the_run_or_the_number(change, said):
    with pytest.raises(Refused, match=said):
        frontier(table([1e9, 2e9], [0.5, 0.4]).assign(**change), METRIC)


def test_without_a_measurement_the_remedy_is_that_of_where_the_runs_come_from():
    points = table([1e9, 2e9], [np.nan, np.nan])
    with pytest.raises(Refused, match="A launch measures"):
        frontier(points.assign(origin=None), METRIC)
    with pytest.raises(Refused, match="Imported runs have what their file tells"):
        frontier(points.assign(origin="theirs.csv"), METRIC)


def test_where_all_runs_are_excluded_that_is_the_reason():
    with pytest.raises(Refused, match="all 2 runs that are done are excluded"):
        frontier(table([1e9, 2e9], [0.5, 0.4]).assign(excluded=True), METRIC)
