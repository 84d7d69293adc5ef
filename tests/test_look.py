"""How figures look: contrast of what is drawn, words, limits, sizes and styles that a reader asks for."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.image import imread
from matplotlib.lines import Line2D
from runs import doubly, laptop, table
from test_plots import budgets, curves, held_out, subject, swept, texts

from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.fonts import missing
from scalectl.analysis.drawing.labels import metric_label
from scalectl.analysis.fitting import fit
from scalectl.analysis.plotting import draw

LEAST = 3.0  # of marks and lines: WCAG 2.2, criterion 1.4.11


def luminance(colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(rgba, paper) -> float:
    """The contrast of a colour laid on the paper."""
    seen = rgba[3] * np.array(rgba[:3]) + (1 - rgba[3]) * np.array(to_rgb(paper))
    dark, bright = sorted([luminance(seen), luminance(paper)])
    return (bright + 0.05) / (dark + 0.05)


def marks(axes):
    """The colours of all marks and lines of a panel but its grid: faces, or edges of marks without one."""
    grid = {line for axis in (axes.xaxis, axes.yaxis) for line in axis.get_gridlines()}
    for line in axes.findobj(Line2D):
        if line in grid or not line.get_visible() or (line.get_linestyle() == "None" and line.get_marker() == "None"):
            continue
        yield to_rgba(line.get_color(), line.get_alpha())
    for one in axes.findobj(lambda artist: isinstance(artist, PathCollection | LineCollection)):
        faces, edges = one.get_facecolors(), one.get_edgecolors()
        hollow = not len(faces) or not faces[:, 3].any()
        white = len(faces) and contrast(faces[0], axes.get_facecolor()) < 1.1
        yield from map(tuple, edges if hollow or white else faces)


@pytest.mark.parametrize(
    ("x", "label"),
    [
        ("images_seen", "Images seen"),  # it was "Images seen (images seen)"
        ("flops", "Training compute (FLOPs)"),
        ("data_size", "Training set (distinct images)"),
    ],
)
def test_an_axis_names_its_unit_once(x, label):
    assert draw("frontier", replace(subject(many()), x=x, fit=None)).figure.axes[0].get_xlabel() == label


def many(models=12, sizes=8) -> pd.DataFrame:
    """Runs of 12 models and 8 data sizes."""
    rows = [(m, d, s) for m in range(models) for d in range(sizes) for s in (1, 16)]
    m, d, s = np.array(rows, float).T
    error = 0.02 + 0.5 * 2 ** (-0.3 * m) + 0.3 * 2 ** (-0.4 * d) + 0.2 * s**-0.4
    points = table(1e9 * 2**m * s * (1 + 0.001 * d), error, images_seen=1000 * s)
    columns = {"model": [f"m{n:.0f}" for n in m], "params": (1000 * 2**m).astype(int)}
    return points.assign(data_size=(100 * 2**d).astype(int), steps=s.astype(int), **columns)


@pytest.fixture(scope="module", params=[None, "dark_background"])
def figures(request):
    """A figure of each kind, of 12 models and 8 data sizes, in our style and on black."""
    points = many()
    out = points["run"][points["model"] == "m11"].tolist()
    law = fit(points, draws=20, hold_out=out)
    shown = replace(subject(points, law, curves=curves(points)), hold_out=out)
    made = dict.fromkeys(("frontier", "bottleneck", "samples", "curves", "residuals"), shown)
    made |= {"isoflop": subject(budgets())}
    return {name: draw(name, of_kind, style=request.param).figure for name, of_kind in made.items()}


def test_every_mark_and_line_stands_out_from_its_paper(figures):
    for name, figure in figures.items():
        for axes in figure.axes[:2]:
            paper = axes.get_facecolor()[:3]
            pale = [colour for colour in marks(axes) if contrast(colour, paper) < LEAST]
            assert not pale, (name, pale[:3])


def test_held_out_runs_are_stars_and_never_dots_or_rings():
    points = laptop()
    out = held_out(points)
    for law in (fit(points, draws=5, hold_out=out), None):
        axes = draw("frontier", replace(subject(points, law), hold_out=out)).figure.axes[0]
        dots, rings, *stars = axes.findobj(PathCollection)
        held = points["flops"][points["run"].isin(out)]
        assert sorted(x for one in stars for x in np.asarray(one.get_offsets())[:, 0]) == pytest.approx(sorted(held))
        assert not {*np.asarray(dots.get_offsets())[:, 0], *np.asarray(rings.get_offsets())[:, 0]} & {*held}
        assert "held out" in texts(axes.figure)


def test_curves_are_smoothed_before_the_raw_ones_and_dashed_by_data_size():
    points, steps = laptop(), np.arange(1, 200)
    points = points[points.groupby(["model", "data_size"]).cumcount() == 0].reset_index(drop=True)  # few enough
    random = np.random.default_rng(0)
    rows = points[["run", "flops"]].merge(pd.DataFrame({"step": steps}), how="cross")
    lines = rows.assign(flops=rows["flops"] * rows["step"] / 199)
    lines["loss"] = lines["step"] ** -0.5 * np.exp(random.normal(0, 0.2, len(lines)))
    made = draw("curves", subject(points, curves=lines))
    raw, smooth = made.figure.axes[0].lines[::2], made.figure.axes[0].lines[1::2]
    assert len(raw) == len(smooth) == 9
    for one, other in zip(raw, smooth, strict=True):
        off = [np.std(np.log(line.get_ydata() * steps**0.5)[60:]) for line in (one, other)]
        assert off[1] < off[0] / 2 and one.get_linewidth() < other.get_linewidth() / 3
    assert len({str(line._dash_pattern) for line in smooth}) == 3  # no public way to read dashes
    assert {"100", "350", "1.4k"} <= {*texts(made.figure).splitlines()}
    assert made.data["columns"][-1] == "smoothed"


def test_of_many_runs_the_curves_of_a_model_and_data_size_are_drawn_together():
    points = pd.concat([laptop().assign(seed=n) for n in range(7)], ignore_index=True)
    points["run"] = [f"run-{n:03}" for n in range(len(points))]
    lines = points[["run", "flops"]].merge(pd.DataFrame({"step": [1, 2, 3]}), how="cross")
    lines = lines.assign(flops=lines["flops"] * lines["step"] / 3, loss=np.geomspace(1, 0.1, len(lines)))
    made = draw("curves", subject(points, curves=lines))
    drawn = made.figure.axes[0].lines
    xs = np.concatenate([line.get_xdata() for line in drawn])
    assert len(points) > 200 > 20 > len(drawn) and np.isnan(xs).sum() == len(points)  # a gap behind each run
    assert sorted(xs[~np.isnan(xs)]) == sorted(lines["flops"])
    assert len({(line.get_color(), str(line._dash_pattern)) for line in drawn}) == 9
    assert len(made.data["rows"]) == len(lines)


def test_of_many_runs_what_branches_have_in_common_is_drawn_once():
    """A trunk of 60 steps that branches leave at 20, 40 and 60, each with two steps of its own; and so 80 times."""
    steps = {branch: [*range(1, branch + 1), branch + 1.5, branch + 2.5] for branch in (20, 40, 60)}
    runs, rows = [], []
    for trunk in range(80):
        for branch, seen in steps.items():
            name, own = f"run-{trunk}-{branch}", [0.0] * branch + [0.1 * branch, 0.2 * branch]
            runs.append(name)
            losses = [(2 + trunk / 100) * step**-0.1 - less / 100 for step, less in zip(seen, own, strict=True)]
            rows += [(name, step, 1e9 * step, loss) for step, loss in zip(seen, losses, strict=True)]
    points = table(np.full(len(runs), 1e11), np.full(len(runs), 0.3)).assign(run=runs, model="pico")
    made = draw("curves", subject(points, curves=pd.DataFrame(rows, columns=["run", "step", "flops", "loss"])))
    (axes,), data = made.figure.axes, pd.DataFrame(made.data["rows"], columns=made.data["columns"])
    drawn = np.concatenate([line.get_xydata() for line in axes.lines])
    drawn = drawn[~np.isnan(drawn[:, 0])]
    every = {(x, y) for x, y in data[["flops", "smoothed"]].itertuples(index=False)}
    assert {(x, y) for x, y in drawn} == every  # all that there is,
    assert len(drawn) == len(every) + 160 < 0.7 * len(data)  # and twice alone where a branch leaves its trunk


@pytest.mark.parametrize(
    ("metric", "data", "label"),
    [
        ("upstream/error", "cifar10", "Top-1 error on held-out CIFAR-10 (%)"),
        ("upstream/error", "", "Top-1 error on held-out images (%)"),
        ("upstream/loss", "digits", "Loss on held-out digits (nats)"),
        ("fewshot/imagenet/10shot/error", "digits", "10-shot error on ImageNet (%)"),
        ("finetune/my $5 set/error", "", r"Error on my \$5 set, fine-tuned (%)"),
        ("imagenet_10shot_error", "", "imagenet 10-shot error (%)"),
        ("val/$x", "", r"val/\$x"),
    ],
)
def test_metrics_are_named_in_words(metric, data, label):
    assert metric_label(metric, data) == label


def test_a_refused_law_is_a_note_of_a_line_or_two():
    note = "refused: x vs flops has 2 frontier points among 9 runs, and a law with 4 parameters needs 6. Add."
    title = draw("frontier", subject(laptop(), note=note)).figure.axes[0].get_title(loc="left")
    assert title == "no law: 2 frontier points among 9 runs"
    figure = draw("frontier", subject(laptop(), note="words " * 40)).figure
    figure.canvas.draw()
    written = figure.axes[0]._left_title
    assert written.get_text().count("\n") == 1 and written.get_text().endswith(" ...")
    assert figure.bbox.contains(*written.get_window_extent().max)


@pytest.mark.parametrize("name", ["frontier", "residuals"])
def test_a_law_with_many_digits_lies_inside_its_figure(name):
    """The letter at the end of its unit was cut off."""
    points = laptop()
    law = fit(points, draws=20, law="doubly-saturating")
    wide = replace(law, law=doubly(7.3e5, 4.8e11, 0.54, 0.46, "FLOPs"))
    figure = draw(name, subject(points, wide)).figure
    figure.canvas.draw()
    written = figure.axes[0]._left_title
    assert figure.bbox.contains(*written.get_window_extent().max) and "FLOPs" in written.get_text()


def test_words_limits_size_and_dots_are_those_asked_for(tmp_path):
    asked = {"title": "Digits", "xlabel": "$C$", "ylabel": "cost $5_{ or $6", "xlim": (1e9, 1e13), "ylim": (1, 90)}
    made = draw("frontier", subject(laptop()), size=(120, 100), dpi=100, **asked)
    axes = made.figure.axes[0]
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == ("Digits", "$C$", r"cost \$5_{ or \$6")
    assert (axes.get_xlim(), axes.get_ylim()) == ((1e9, 1e13), (1, 90))
    assert axes.get_yticks().tolist() == [1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 90]
    made.save(tmp_path / "f.png")
    assert imread(tmp_path / "f.png").shape[:2] == (393, 472)


@pytest.mark.parametrize(
    ("figure", "asked", "said"),
    [
        ("frontier", {"xlim": (0, 1)}, "xlim 0 1: the axis is logarithmic"),
        ("frontier", {"ylim": (5, 5)}, "give the lower number first"),
        ("frontier", {"size": (20, 20)}, "each is 30 to 2000 mm"),
        ("frontier", {"size": (85, 35)}, "35 mm has no room for the legend: 85 x"),
        ("frontier", {"xlim": (1, float("nan"))}, "give two finite numbers"),
        ("frontier", {"size": 3}, "size = 3: give two finite numbers"),
        ("frontier", {"ylim": ("low", "high")}, "give two finite numbers"),
        ("frontier", {"dpi": 3}, "dpi 3: give 30 to 1200"),
        ("frontier", {"style": "gplot"}, "style gplot: no file, and no style of Matplotlib; did you mean 'ggplot'"),
        ("frontier", {"style": "https://example.org/a.mplstyle"}, "no file, and no style"),
        ("bottleneck", {"xlabel": "x"}, "bottleneck takes no xlabel"),
        ("decay-map", {"ylim": (1, 2)}, "decay-map takes no ylim"),
    ],
)
def test_what_a_figure_cannot_have_is_refused(figure, asked, said):
    points = {"decay-map": swept}.get(figure, laptop)()
    with pytest.raises(Refused, match=said):
        draw(figure, subject(points), **asked)


@pytest.mark.parametrize(("text", "said"), [("font.size: big", "font.size"), ("no.such.key: 1", "no.such.key")])
def test_a_style_that_cannot_be_read_is_refused(tmp_path, text, said):
    file = tmp_path / "bad.mplstyle"
    file.write_text(text + "\n")
    with pytest.raises(Refused, match=said):
        draw("frontier", subject(laptop()), style=str(file))


def test_a_style_of_a_file_is_seen(tmp_path):
    file = tmp_path / "paper.mplstyle"
    file.write_text("axes.facecolor: ffffee\ntext.color: 000044\n")
    axes = draw("frontier", subject(laptop()), style=str(file)).figure.axes[0]
    assert axes.get_facecolor()[:3] == to_rgb("#ffffee")


def test_runs_without_an_error_give_no_warning_and_are_seen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("frontier", "bottleneck", "samples"):
            figure = draw(name, subject(table([1e9, 1e10], [0.0, 0.0], images_seen=[1, 2]))).figure
            figure.canvas.draw()
            low, high = figure.axes[0].get_ylim()
            assert low < 0 < high


def test_letters_that_no_font_has_are_told_without_a_warning():
    points = laptop().replace({"model": {"mini": "mini \u6a21\u0e50"}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw("frontier", subject(points)).figure
        figure.canvas.draw()
    assert "\u0e50" in missing(figure) and "m" not in missing(figure)


def grid() -> pd.DataFrame:
    """A sweep of nine pairs on one cell, and a larger, better model at one pair alone."""
    rows = [(h, b, "small", 0.3 + 0.01 * n) for n, (h, b) in enumerate((h, b) for h in (1, 2, 3) for b in (4, 5, 6))]
    rows += [(3, 6, "large", 0.05)]
    head, body, model, error = zip(*rows, strict=True)
    return table([1e9] * 10, error).assign(weight_decay_head=head, weight_decay_body=body, model=model)


def test_a_map_compares_what_all_pairs_share():
    figure = draw("decay-map", subject(grid())).figure
    (box,) = figure.axes[0].patches
    assert box.get_xy() == (-0.5, 1.5)  # head 1, body 4: the best of the small model
    assert "30" in texts(figure) and "5" not in texts(figure).splitlines()[0]


def test_a_map_without_a_shared_cell_is_refused_with_the_where_that_chooses_one():
    points = grid()
    points.loc[9, "weight_decay_head"] = 7
    with pytest.raises(Refused, match="--where \"model == 'small'\" has 9 pairs"):
        draw("decay-map", subject(points))
    chosen = points[points["model"] == "small"]
    assert np.shape(draw("decay-map", subject(chosen)).data["cells"]) == (3, 3)


def test_sizes_and_models_can_be_the_settings_of_a_map():
    made = draw("decay-map", subject(many(3, 4)), rows="params", columns="data_size")
    assert np.isfinite(np.array(made.data["cells"], float)).all()
    assert json.dumps(made.data["cells"])
