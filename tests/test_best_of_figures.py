"""Figures of the best of each size or pair choose it as laws do: from means of seeds, without held-out runs."""

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, laptop, table

from scalectl.analysis.checks import Refused
from scalectl.analysis.plotting import plot


def seeded() -> pd.DataFrame:
    """The laptop's runs, each with two seeds more: a lucky one and one as unlucky."""
    points = laptop().assign(images_seen=lambda runs: 64.0 * runs["steps"])
    seeds = [points.assign(seed=seed, run=points["run"] + f"-{seed}") for seed in (0, 1, 2)]
    for seed, share in enumerate((1.0, 0.5, 1.5)):
        seeds[seed][METRIC] *= share
    return pd.concat(seeds, ignore_index=True)


@pytest.mark.parametrize(
    ("figure", "key"), [("bottleneck", "params"), ("bottleneck", "data_size"), ("samples", "best")]
)
def test_the_best_of_each_size_is_that_of_the_means_of_seeds(figure, key):
    once = plot(laptop().assign(images_seen=lambda runs: 64.0 * runs["steps"]), figure, draws=0).data[key]
    means = plot(seeded(), figure, draws=0).data[key]
    assert [run[METRIC] for run in means] == pytest.approx([run[METRIC] for run in once])
    assert all(run["seeds"] == 3 and "mean of 3 seeds" in run["name"] for run in means)
    each = plot(seeded(), figure, draws=0, seeds="each").data[key]
    assert min(run[METRIC] for run in each) == pytest.approx(0.5 * min(run[METRIC] for run in once))


@pytest.mark.parametrize(("figure", "key"), [("bottleneck", "params"), ("samples", "best")])
def test_no_run_that_is_held_out_is_the_best_of_its_size(figure, key):
    points = laptop().assign(images_seen=lambda runs: 64.0 * runs["steps"])
    held = list(points["run"][points["steps"] == 1600])
    best = plot(points, figure, hold_out=held, draws=0).data[key]
    assert best and not {run["run"] for run in best} & set(held)
    with pytest.raises(Refused, match="held out"):
        plot(points, figure, hold_out=list(points["run"]), draws=0)


def test_the_panels_beside_a_wide_frontier_have_the_bests_of_the_bottleneck():
    points = seeded()
    held = list(points["run"][points["model"] == "mini"])
    wide = plot(points, hold_out=held, wide=True, draws=0).figure.axes[1]
    best = plot(points, "bottleneck", hold_out=held, draws=0).data["params"]
    line = wide.lines[0].get_ydata()
    assert len(best) == 2 and line == pytest.approx([100 * run[METRIC] for run in best])


def decays() -> pd.DataFrame:
    """Two by two weight decays with two seeds: the worst pair has the luckiest run."""
    rows = [(head, body, seed) for head in (1.0, 10.0) for body in (0.1, 1.0) for seed in (0, 1)]
    points = table(np.full(len(rows), 1e12), [0.30, 0.50, 0.35, 0.37, 0.40, 0.42, 0.45, 0.47])
    head, body, seed = zip(*rows, strict=True)
    return points.assign(model="B/16", weight_decay_head=head, weight_decay_body=body, seed=seed)


def test_the_best_pair_of_a_map_is_that_of_the_best_mean_of_seeds():
    drawing = plot(decays(), "decay-map", draws=0)
    assert drawing.data["cells"] == [
        [pytest.approx(0.41), pytest.approx(0.46)],
        [pytest.approx(0.40), pytest.approx(0.36)],
    ]
    (box,) = drawing.figure.axes[0].patches
    assert box.get_xy() == (0.5, 0.5)
    assert "best mean of seeds of each pair" in drawing.figure.axes[0].get_title(loc="left")
    one = plot(decays(), "decay-map", draws=0, hold_out=["run-001", "run-003", "run-005", "run-007"])
    assert one.data["cells"][1] == [pytest.approx(0.30), pytest.approx(0.35)]


def test_a_map_over_seeds_shows_each_of_them():
    drawing = plot(decays(), "decay-map", draws=0, rows="seed", columns="weight_decay_body")
    assert drawing.data["cells"][1] == [pytest.approx(0.30), pytest.approx(0.35)]
