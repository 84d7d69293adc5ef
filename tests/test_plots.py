"""The frontier figure: what it shows, and the data beside it."""

import json

import numpy as np
import pytest
from matplotlib.text import Text
from runs import METRIC, laptop, table

from analysis.fit import fit
from analysis.plots import drawn, frontier_figure, save
from analysis.refusal import Refused


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def held_out(points):
    return list(points["run"][points["model"] == "mini"])


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_suffix_says_the_format_and_the_data_lie_beside_it(tmp_path, suffix, begins):
    points, path = laptop(), tmp_path / "plots" / f"frontier.{suffix}"
    save(points, METRIC, "flops", path, fit(points, draws=20))
    assert path.read_bytes().startswith(begins)
    assert len(json.loads(path.with_suffix(".json").read_text())["runs"]) == 36


def test_another_format_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(Refused, match=r"\.png, \.pdf, \.svg"):
        save(laptop(), METRIC, "flops", tmp_path / "frontier.tiff")
    assert list(tmp_path.iterdir()) == []


def test_every_run_is_a_dot_and_every_frontier_point_a_ring():
    points = laptop()
    law = fit(points, draws=20)
    main = frontier_figure(points, METRIC, "flops", law).axes[0]
    dots, rings = (collection.get_offsets() for collection in main.collections[:2])
    assert np.asarray(dots)[:, 0] == pytest.approx(np.sort(points["flops"]))
    assert np.asarray(rings)[:, 1] == pytest.approx(100 * law.frontier[METRIC])


def test_it_names_models_sizes_law_and_axes():
    points = laptop()
    said = texts(frontier_figure(points, METRIC, "flops", fit(points, draws=20, hold_out=held_out(points))))
    for text in ("nano", "mini", "1.4k", "Training compute (FLOPs)", "upstream/error (%)", "held out, predicted"):
        assert text in said


def test_where_the_law_is_refused_the_runs_are_drawn_and_the_reason_stands_above():
    points = laptop().iloc[:3]
    with pytest.raises(Refused) as refused:
        fit(points)
    figure = frontier_figure(points, METRIC, "flops", note=str(refused.value))
    assert "3 frontier points" in figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert drawn(points, METRIC, "flops", note="few")["fit"] is None


@pytest.mark.parametrize("error", [[0.9, 0.5, 0.0], [0.5, 0.5, 0.5], [2.3]])
def test_perfect_equal_and_single_runs_are_drawn_too(error):
    points = table(np.geomspace(1e9, 1e10, len(error)), error)
    frontier_figure(points, METRIC, "flops").canvas.draw()


@pytest.mark.parametrize("law", [True, False])
def test_no_text_is_cut_off_or_lies_on_another(law):
    points = laptop()
    figure = frontier_figure(points, METRIC, "flops", fit(points, draws=20) if law else None, note="few " * 60)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in shown(figure)]
    assert all(figure.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    assert [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)] == []


def shown(figure) -> list[Text]:
    """The texts that are drawn; labels of ticks outside the limits of their axis are made, but not drawn."""
    axis = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    outside = [
        tick.label1
        for one in axis
        for tick in one.get_major_ticks()
        if not one.get_view_interval()[0] <= tick.get_loc() <= one.get_view_interval()[1]
    ]
    texts = figure.findobj(lambda artist: isinstance(artist, Text) and artist not in outside)
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def test_no_global_state_of_matplotlib_is_touched():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    frontier_figure(laptop(), METRIC, "flops").canvas.draw()
    assert dict(mpl.rcParams) == before
