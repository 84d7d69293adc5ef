"""A frontier whose dear end is made of runs that ended too early is told from one whose lines touch it."""

import numpy as np
import pandas as pd
import pytest
from runs import paper

from scalectl.analysis.fitting import fit
from scalectl.analysis.lengths import STEEP

METRIC, SAID = "t/error", "longest"


def grid(lengths) -> pd.DataFrame:
    """Runs of L(N, D) = .1 + 30 / N^.5 + 40 / D^.4, with the numbers of images that `lengths` gives each size."""
    rows = [
        {"model": f"m{size:.0e}", "params": size, "images_seen": seen, "flops": 6 * size * seen}
        for size in np.geomspace(1e4, 1e7, 7)
        for seen in lengths(size)
    ]
    runs = pd.DataFrame(rows)
    runs[METRIC] = 0.1 + 30 / runs["params"] ** 0.5 + 40 / runs["images_seen"] ** 0.4
    runs["run"] = runs["name"] = [f"{row.model}-{row.images_seen:.0e}" for row in runs.itertuples()]
    return runs.assign(state="done", excluded=False)


def warned(runs: pd.DataFrame, metric: str = METRIC) -> list[str]:
    return [line for line in fit(runs, metric, draws=20).warnings if SAID in line]


def test_lines_that_go_on_past_their_envelope_are_long_enough():
    assert warned(grid(lambda size: np.geomspace(1e4, 3e9, 24))) == []


def test_a_dear_end_of_short_runs_of_large_models_is_told_with_the_first_of_them():
    """All sizes see as many images, as in a grid of steps: too few for the large ones."""
    runs = grid(lambda size: np.geomspace(1e3, 1e6, 13))
    (line,) = warned(runs)
    dearest = runs.loc[runs["flops"].idxmax(), "name"]
    assert line.startswith(dearest) and "floor and exponent may be those of this grid" in line
    ratios = [float(word) for word in line.partition(" fall")[2].split() if word.replace(".", "").isdigit()]
    assert ratios and min(ratios) >= STEEP


def test_seeds_of_one_length_and_other_recipes_are_no_lines():
    runs = grid(lambda size: np.geomspace(1e4, 3e9, 24))
    copies = [
        runs.assign(seed=seed, run=runs["run"] + f"-s{seed}", **{METRIC: runs[METRIC] * (1 + seed / 1000)})
        for seed in (0, 1)
    ]
    worse = runs.assign(seed=0, lr=3e-3, run=runs["run"] + "-lr", **{METRIC: runs[METRIC] * 1.5})
    table = pd.concat([*(copy.assign(lr=1e-3) for copy in copies), worse], ignore_index=True)
    assert warned(table) == []


@pytest.mark.parametrize("law", ["bnsl", "m4"])
def test_a_dearest_run_that_is_alone_of_its_model_has_no_line(law):
    runs = grid(lambda size: np.geomspace(1e4, 1e8, 10))
    alone = runs[(runs["params"] < 1e7) | (runs["images_seen"] == 1e8)]
    assert [line for line in fit(alone, METRIC, law=law, draws=20).warnings if SAID in line] == []


def test_the_runs_of_the_paper_are_long_enough():
    assert warned(paper(), "upstream/error") == []
