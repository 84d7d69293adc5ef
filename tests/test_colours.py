"""Colours of models stay apart for readers who see colours otherwise, and in grey."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from runs import table
from test_plots import budgets, subject

from scalectl.analysis.drawing.style import Marks
from scalectl.analysis.fitting import fit
from scalectl.analysis.plotting import draw

# on linear RGB, severity 1.0: Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color
# Vision Deficiency, IEEE TVCG 15(6), 2009, table of the authors' page
SEEN = {
    "by most": np.eye(3),
    "with protanomaly": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "with deuteranomaly": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# sRGB's primaries and white D65: IEC 61966-2-1
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
APART = 10.0  # CIE 1976 distance in Lab; 2.3 is just noticeable
APART_IN_GREY = 8.0  # of lightness L*, from 0 to 100


def lab(rgb_N3: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """CIE Lab [N, 3] of sRGB colours as they are seen."""
    linear = np.where(rgb_N3 <= 0.04045, rgb_N3 / 12.92, ((rgb_N3 + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ seen.T, 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def colours(models: int) -> np.ndarray:
    """The colours [N, 3] of so many models."""
    points = table(np.ones(models), np.ones(models))
    points = points.assign(model=[f"m{n}" for n in range(models)], params=range(1, models + 1))
    return np.array(list(Marks.of_runs(points).colours.values()))[:, :3]


def test_lab_is_that_of_the_standard():
    red, white, black = lab(np.array([[1.0, 0, 0], [1, 1, 1], [0, 0, 0]]), SEEN["by most"])
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.03)
    assert white == pytest.approx([100, 0, 0], abs=1e-6) and black == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("models", range(2, 9))
def test_any_two_of_up_to_8_models_can_be_told_apart(models, seen):
    found = lab(colours(models), SEEN[seen])
    far = np.linalg.norm(found[:, None] - found, axis=2)[~np.eye(models, dtype=bool)]
    assert far.min() >= APART


@pytest.mark.parametrize("models", range(2, 9))
def test_neighbours_differ_in_grey_too(models):
    assert np.diff(lab(colours(models), SEEN["by most"])[:, 0]).min() >= APART_IN_GREY


@pytest.mark.parametrize("name", ["frontier", "bottleneck", "samples", "curves", "residuals"])
def test_every_figure_of_models_has_their_colours(name):
    """Eight models, the best at 16 budgets in turn, so that each is among the dots of every figure."""
    compute = np.geomspace(1e9, 1e12, 16)
    points = table(compute, 0.05 + 100 * compute**-0.3).assign(model=[f"m{n % 8}" for n in range(16)])
    points = points.assign(params=np.tile(range(1, 9), 2), images_seen=compute)
    lines = points[["run", "flops"]].assign(step=1, loss=0.5)
    lines = pd.concat([lines, lines.assign(flops=lines["flops"] / 2)])
    drawn = replace(subject(points, fit(points, draws=5)), curves=lines)
    figure = draw(name, drawn).figure
    dots = [colour for one in figure.findobj(PathCollection) for colour in one.get_facecolors()[:, :3].tolist()]
    lines = [list(to_rgb(line.get_color())) for line in figure.findobj(Line2D)]
    assert all(min(np.abs(np.array(dots + lines) - colour).max(axis=1)) < 1e-6 for colour in colours(8))


def test_budgets_of_one_figure_can_be_told_apart():
    figure = draw("isoflop", subject(budgets())).figure
    found = np.unique([to_rgb(line.get_color()) for line in figure.axes[0].lines], axis=0)  # cividis: by its red
    assert len(found) == 3
    for seen in SEEN.values():
        assert np.linalg.norm(np.diff(lab(found, seen), axis=0), axis=1).min() >= APART


def test_red_and_green_would_not_do():
    """The test can fail: two colours that most tell apart at once."""
    pair = np.array([[0.8, 0.3, 0.2], [0.5, 0.5, 0.1]])
    far = {seen: np.linalg.norm(np.subtract(*lab(pair, matrix))) for seen, matrix in SEEN.items()}
    assert far["by most"] > 5 * APART and far["with deuteranomaly"] < 2 * APART
