"""Figures and answers of an accuracy, a metric that rises: its highest is the best, and no law is fitted to it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from runs import METRIC, laptop, table

from scalectl.analysis.backtests import backtest
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.fitting import fit
from scalectl.analysis.plotting import draw, plot
from scalectl.analysis.prediction import predict
from scalectl.analysis.runs import frontier
from scalectl.analysis.values import value
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.page.budgets import isoflop_documents

RISING = "upstream/precision@1"


def accurate() -> pd.DataFrame:
    """The runs of a laptop's study by their accuracy, with images seen."""
    points = laptop()
    points["flops"] *= 1 + 0.01 * points.index  # no two are equal
    return points.assign(images_seen=64.0 * points["steps"], **{RISING: 1 - points[METRIC]})


def of_accuracy(points: pd.DataFrame) -> Subject:
    return Subject(points, RISING, "flops")


@pytest.mark.parametrize("said", ["", "refused: "])
def test_the_frontier_of_an_accuracy_is_that_of_its_error(said):
    reason = f"{said}{RISING} rises with compute: a law is of what falls, such as an error or a loss."
    points = accurate()
    wanted = frontier(points, METRIC)["run"].tolist()
    assert frontier(points, RISING)["run"].tolist() == wanted and len(wanted) > 5
    twins = table([1e12, 1.001e12, 1e13], [0.5, 0.6, 0.7]).rename(columns={METRIC: RISING})
    assert frontier(twins, RISING)[RISING].tolist() == [0.6, 0.7]  # of equal compute the better one
    axes = draw("frontier", Subject(points, RISING, "flops", note=reason)).figure.axes[0]
    rings = [dots for dots in axes.collections if isinstance(dots, PathCollection) and not len(dots.get_facecolor())]
    assert sum(len(dots.get_offsets()) for dots in rings) == len(wanted)
    assert " ".join(axes.get_title(loc="left").split()) == f"no law: {RISING} rises with compute"


def test_the_best_runs_of_an_accuracy_are_the_highest():
    points = accurate()
    data = draw("bottleneck", of_accuracy(points)).data
    assert [run[RISING] for run in data["params"]] == points.groupby("params")[RISING].max().tolist()
    assert [run[RISING] for run in data["data_size"]] == points.groupby("data_size")[RISING].max().tolist()
    best = draw("samples", of_accuracy(points)).data["best"]
    for model, group in points.groupby("model"):
        values = [run[RISING] for run in best if run["model"] == model]
        assert values == sorted(set(values)) and values[-1] == group[RISING].max() and len(values) > 2


def test_the_map_of_an_accuracy_boxes_the_highest():
    points = accurate()
    points = points[points["model"] == "mini"].reset_index(drop=True)
    made = draw("decay-map", of_accuracy(points), rows="data_size", columns="steps")
    assert made.data["cells"][0][-1] == pytest.approx(points[RISING].max())
    (box,) = made.figure.axes[0].patches
    assert box.get_xy() == (2.5, -0.5)  # most images, most steps
    (colours,) = made.figure.axes[0].images
    dark, bright = (sum(colours.to_rgba(end)[:3]) for end in (points[RISING].min(), points[RISING].max()))
    assert bright > dark


def alike() -> pd.DataFrame:
    """Seven sizes at one budget, of which the middle one has the lowest accuracy."""
    params = np.geomspace(1e6, 1e8, 7)
    points = table(np.full(7, 1e18), np.zeros(7)).assign(params=params, images_seen=1e18 / 6 / params)
    return points.assign(**{RISING: 0.5 + 0.1 * np.log(params / 1e7) ** 2})


def test_no_minimum_is_sought_of_an_accuracy():
    """Its lowest value at each budget was drawn as the best size."""
    points = alike()
    with pytest.raises(Refused, match="accuracy by its name"):
        draw("isoflop", of_accuracy(points))
    (document,) = isoflop_documents(points, Fit(metric=RISING), [RISING])
    assert "accuracy by its name" in document["refusal"] and "budgets" not in document
    assert draw("isoflop", Subject(points.assign(**{METRIC: points[RISING]}), METRIC, "flops")).data["budgets"]


def test_an_accuracy_is_refused_for_what_it_is():
    points = accurate()
    with pytest.raises(Refused, match=f"^{RISING} rises with compute: a law is of what falls"):
        fit(points, RISING)
    assert set(backtest(points, RISING).refused.values()) == {
        f"{RISING} rises with compute: a law is of what falls, such as an error or a loss."
    }
    with pytest.raises(Refused) as refused:
        draw("backtest", of_accuracy(points))
    assert str(refused.value).count("rises") == 1  # one reason for both cuts


def test_an_accuracy_that_falls_is_refused_with_how_to_name_an_error():
    """It was fitted as an error, while figures and frontiers took its highest for the best."""
    falling = accurate().assign(**{"val/top1": lambda runs: runs[METRIC]})
    with pytest.raises(Refused, match=r"^val/top1 is an accuracy by its name, .* and falls\. .*--as 'val/top1=error'"):
        fit(falling, "val/top1")
    with pytest.raises(Refused, match="and falls"):
        predict(falling, "val/top1", compute=1e13)
    with pytest.raises(Refused, match="and falls"):
        predict(falling, "val/top1", params=1e7, data=1e5)


def test_an_error_that_is_no_share_is_not_in_per_cent():
    assert value("mean_squared_error", 2.5) == "2.5" and value("val_error", 0.25) == "25 %"
    points = laptop().assign(**{"val/mean_squared_error": lambda runs: 30 * runs[METRIC]})
    axes = plot(points, "frontier", "val/mean_squared_error", draws=20).figure.axes[0]
    assert "%" not in axes.get_ylabel() and axes.get_ylim()[1] < 100
