"""The figures: what they show, the data beside them, and that equal data give equal files."""

import json
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import cbook
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from PIL import Image
from runs import METRIC, doubly, laptop, planted, table

from scalectl.analysis.budgets import isoflop
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.plot import Drawing, Subject
from scalectl.analysis.drawing.style import Marks
from scalectl.analysis.drawing.titles import equation, title
from scalectl.analysis.drawing.trunks import trunks
from scalectl.analysis.figures.residuals import residuals
from scalectl.analysis.fitting import fit
from scalectl.analysis.law import family
from scalectl.analysis.plotting import about, draw
from scalectl.analysis.vocabulary import FIGURES


def subject(points, law=None, **more) -> Subject:
    return Subject(points, METRIC, "flops", law, **more)


def frontier_axes(points, law=None, **more):
    return draw("frontier", subject(points, law, **more)).figure.axes[0]


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def held_out(points):
    return list(points["run"][points["model"] == "mini"])


def swept() -> pd.DataFrame:
    """The nine best-known cells of the paper's Figure 5 (left), as errors; one pair was never run, one run twice."""
    body, head = (0.01, 0.1, 1.0), (0.1, 1.0, 10.0)
    right = {0.1: (57, 57, 45), 1.0: (60, 60, 48), 10.0: (61, 60, 49)}
    rows = [(h, b, 1 - right[h][n] / 100) for h in head for n, b in enumerate(body)]
    rows = [row for row in rows if row[:2] != (0.1, 1.0)] + [(10.0, 0.01, 0.9)]
    points = table(np.full(len(rows), 1e12), [error for *_, error in rows])
    points["model"], points["cooldown"] = "B/16", np.append(np.full(len(rows) - 1, 5), 4)  # no other pair has 4
    return points.assign(weight_decay_head=[h for h, *_ in rows], weight_decay_body=[b for _, b, _ in rows])


def budgets(edge: bool = False) -> pd.DataFrame:
    """Three budgets of seven sizes on L = E + A/N^alpha + B/D^beta, with C = 6 N D."""
    rows = []
    for flops in (1e18, 1e19, 1e20):
        best = 1e7 * (flops / 1e18) ** 0.5
        for factor in np.geomspace(1, 20, 7) if edge else np.geomspace(1 / 6, 6, 7):
            params = best * factor
            rows.append((flops, params, flops / 6 / params))
    flops, params, images = (np.array(column) for column in zip(*rows, strict=True))
    error = 0.05 + 30 * params**-0.4 + 30 * images**-0.4 * (1e7 / (1e18 / 6e7)) ** -0.4
    return table(flops, error).assign(params=params.astype(int), images_seen=images)


def curves(points) -> pd.DataFrame:
    """A falling curve of three rows for each run."""
    steps = pd.DataFrame({"step": [1, 10, 100], "loss": [2.0, 1.0, 0.5]})
    rows = points[["run", "flops"]].merge(steps, how="cross")
    return rows.assign(flops=rows["flops"] * rows["step"] / 100)


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_equal_data_give_equal_files_in_the_format_of_the_suffix(tmp_path, suffix, begins):
    points = laptop()
    law = fit(points, draws=5)
    paths = [tmp_path / "plots" / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        draw("frontier", subject(points, law), "abc").save(path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second and first.startswith(begins)
    assert b"/Type3" not in first  # letters of a PDF stay letters
    assert len(json.loads(paths[0].with_suffix(".json").read_text())["runs"]) == 36


def test_another_format_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(Refused, match=r"\.png, \.pdf, \.svg"):
        draw("frontier", subject(laptop())).save(tmp_path / "frontier.tiff")
    assert list(tmp_path.iterdir()) == []


def test_the_data_beside_a_figure_hold_law_revision_and_the_runs_left_out(tmp_path):
    points = laptop()
    points.loc[0, "excluded"] = True
    points.loc[1, ["state", METRIC]] = ["diverged", np.nan]
    points.loc[2, METRIC] = np.nan
    law = fit(points, draws=20, hold_out=held_out(points))
    draw("residuals", subject(points, law), "abc").save(tmp_path / "r.svg")
    document = json.loads((tmp_path / "r.json").read_text())
    assert (document["figure"], document["revision"], document["unit"]) == ("residuals", "abc", "FLOPs")
    assert document["fit"]["params"] == law.law.params()
    why = {one["run"]: one["why"] for one in document["left_out"]}
    assert [why[run] for run in points["run"][:3]] == ["excluded", "diverged", f"without {METRIC}"]
    assert {run for run, reason in why.items() if reason == "held out"} == {run.run for run in law.held_out}


@pytest.mark.parametrize("name", ["frontier", "residuals"])
def test_a_law_without_draws_is_drawn_without_its_band(tmp_path, name):
    points = laptop()
    draw(name, subject(points, fit(points, draws=0, hold_out=held_out(points)))).save(tmp_path / "f.svg")
    assert "low" not in (json.loads((tmp_path / "f.json").read_text()).get("curve") or {})


def test_every_run_is_a_dot_and_every_frontier_point_a_ring():
    points = laptop()
    law = fit(points, draws=20)
    main = frontier_axes(points, law)
    dots, rings = (one.get_offsets() for one in main.collections if isinstance(one, PathCollection))
    assert np.asarray(dots)[:, 0] == pytest.approx(np.sort(points["flops"]))
    assert np.asarray(rings)[:, 1] == pytest.approx(100 * law.frontier[METRIC])
    shown = draw("frontier", subject(points, law)).data["runs"]
    assert [run["run"] for run in shown if run["on_frontier"]] == law.frontier["run"].tolist()


def test_colours_go_from_dark_to_bright_as_models_grow_and_areas_grow_with_data():
    marks = Marks.of_runs(laptop())
    brightness = [sum(colour[:3]) for colour in marks.colours.values()]
    assert list(marks.colours) == ["nano", "micro", "mini"] and brightness == sorted(brightness)
    assert list(marks.areas) == [100, 350, 1400] and list(marks.areas.values()) == sorted(marks.areas.values())


def test_the_law_is_solid_inside_its_points_and_dashed_beyond():
    points = laptop()
    law = fit(points, draws=20)
    lines = [line for line in frontier_axes(points, law).lines if line.get_zorder() == 6]
    first, last = law.frontier["flops"].iloc[[0, -1]]
    for line in lines:
        inside = (line.get_xdata() >= first * 0.999) & (line.get_xdata() <= last * 1.001)
        assert inside.all() if line.get_linestyle() == "-" else not inside.any()
    assert max(line.get_xdata().max() for line in lines if len(line.get_xdata())) > 9 * points["flops"].max()


def test_a_floor_is_a_dotted_line_inside_the_axes():
    compute = np.geomspace(1, 1e4, 30)
    law = family("doubly-saturating").law("FLOPs", scale=0.7, offset=0.5, exponent=0.4, floor=0.12)
    points = table(compute, law(compute))
    main = frontier_axes(points, fit(points, draws=20))
    (dotted,) = (line for line in main.lines if line.get_linestyle() == ":")
    assert dotted.get_ydata()[0] == pytest.approx(12, rel=0.01)
    assert main.get_ylim()[0] < dotted.get_ydata()[0]


def test_no_floor_is_drawn_above_the_average_of_laws_that_goes_below_it():
    """Unless it lies above the best run, which the figure has to say."""
    points = laptop()
    found = fit(points, draws=20)
    best, end = float(found.frontier[METRIC].min()), float(found(10 * points["flops"].max()))
    assert end < best
    for floor, said in ((0.95 * end, True), ((end + best) / 2, False), (1.05 * best, True)):
        values = tuple(({**found.law.params(), "floor": floor}).values())
        main = frontier_axes(points, replace(found, law=replace(found.law, values=values)))
        assert any("floor c" in text.get_text() for text in main.texts) == said


def test_errors_have_round_ticks_up_to_90_per_cent():
    compute = np.geomspace(1, 1e4, 30)
    main = frontier_axes(table(compute, 0.93 * compute**-0.23))
    assert main.get_yticks().tolist() == [10, 12, 15, 20, 30, 50, 70, 90]


def pieces(points, runs):
    """The steps that each joined line goes through."""
    found = []
    for _, xs, ys in trunks(points, runs, METRIC, "steps"):
        whole = np.isfinite(xs) & np.isfinite(ys)
        parts = np.split(np.where(whole, xs, np.nan), np.flatnonzero(~whole))
        found += [part[np.isfinite(part)].tolist() for part in parts]
    return [part for part in found if len(part) > 1]


@pytest.mark.parametrize("change", [{"state": "failed"}, {"excluded": True}, {METRIC: np.nan}])
def test_no_line_crosses_a_run_that_is_missing(change):
    points = laptop().iloc[:4].assign(images_per_second=[1.0, 2.0, 3.0, 4.0])
    assert pieces(points, points) == [[200, 400, 800, 1600]]
    missing = points.copy()
    missing.loc[1, list(change)] = list(change.values())
    usable = points.drop(index=1)
    assert pieces(missing, usable) == [[800, 1600]]


def test_no_line_crosses_a_budget_that_imported_runs_lack():
    points = laptop().iloc[:8].drop(index=1).assign(origin="others.csv")
    points.loc[2, "steps"] = 810  # about 800 is no other budget
    assert pieces(points, points) == [[810, 1600], [200, 400, 800, 1600]]


def test_it_names_models_sizes_law_and_axes():
    points = laptop()
    said = texts(draw("frontier", subject(points, fit(points, draws=20, hold_out=held_out(points)))).figure)
    for text in (
        "nano",
        "mini",
        "1.4k",
        "Training compute (FLOPs)",
        "Top-1 error on held-out images (%)",
        "held out",
        "in FLOPs",
    ):
        assert text in said


def test_the_line_of_residuals_is_the_law_and_that_of_the_frontier_its_average_with_others():
    """Both were called laws averaged, and residuals are those of the law alone."""
    points = laptop()
    law = fit(points, draws=20)
    said = {name: texts(draw(name, subject(points, law)).figure) for name in ("frontier", "residuals")}
    assert "laws averaged, 90 % band" in said["frontier"] and "law, 90 % band of laws averaged" in said["residuals"]
    assert "\nlaws averaged" not in said["residuals"]


def test_the_formula_has_two_digits_and_the_unit():
    law = family("doubly-saturating").law("core-days", scale=0.6991, offset=48.4, exponent=0.2934, floor=0.1182)
    assert equation(law) == r"$E = 0.12 + 0.70\,(C + 48)^{-0.29}$, $C$ in core-days"


@pytest.mark.parametrize("exponent", [0.1449, 0.3251, 1.2349])
def test_the_law_above_a_figure_is_the_one_that_is_drawn(exponent):
    """With two digits of an exponent, a law over 1e22 FLOPs was written that lies a fifth below the drawn one."""
    compute = np.geomspace(1e18, 1e22, 12)
    law = fit(table(compute, 0.8 * (compute / 1e18) ** -exponent), METRIC, law="power", one_model=True, draws=0)
    scale, _, slope = title(law, 12).split("$")[1].removeprefix("E = ").partition(r"\,C^{-")
    scale, slope = (float(text.replace(r"\times 10^{", "e").removesuffix("}")) for text in (scale, slope))
    ends = compute[[0, -1]]
    assert scale * ends**-slope == pytest.approx(law.law(ends), rel=0.03)


def test_one_run_is_not_one_runs():
    with pytest.raises(Refused, match="1 frontier point among 1 run, and"):
        fit(table([1e12], [0.3]), METRIC)
    assert "\n1 run\n" in f"\n{texts(draw('frontier', subject(table([1e12], [0.3]))).figure)}\n"


def test_where_the_law_is_refused_the_runs_are_drawn_and_the_reason_stands_above():
    points = laptop().iloc[:3]
    with pytest.raises(Refused) as refused:
        fit(points)
    main = frontier_axes(points, note=str(refused.value))
    assert "3 frontier points" in main.get_title(loc="left").replace("\n", " ")
    assert about(subject(points, note="few"), "")["fit"] is None


@pytest.mark.parametrize("error", [[0.9, 0.5, 0.0], [0.5, 0.5, 0.5], [2.3]])
def test_perfect_equal_and_single_runs_are_drawn_too(error):
    frontier_axes(table(np.geomspace(1e9, 1e10, len(error)), error)).figure.canvas.draw()


def long():
    """Runs over four decades of compute, so that those up to a thirtieth of it carry a law."""
    return planted(doubly(4.0e8, 37e16, 0.55, 0.02, "FLOPs"), 1e16, 1e20, 40, 20, 0.01, seed=7)


def drawn(name):
    """A figure of each kind, from runs that it suits."""
    points = {"decay-map": swept, "isoflop": budgets, "backtest": long}.get(name, laptop)()
    if "images_seen" not in points:
        points["images_seen"] = 64 * points["steps"]
    law = fit(points, draws=20, hold_out=held_out(points)) if name in ("residuals", "frontier") else None
    options = {"wide": True} if name == "frontier" else {}
    made = draw(name, subject(points, law, curves=curves(points)), **options)
    return made.figure, made.data


@pytest.mark.parametrize("name", list(FIGURES))
def test_no_text_is_cut_off_or_lies_on_another_or_is_too_small_to_read(name):
    figure, _ = drawn(name)
    figure.canvas.draw()
    shown = visible(figure)
    boxes = [text.get_window_extent() for text in shown]
    assert all(figure.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    assert [(shown[n], b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)] == []
    assert min(text.get_fontsize() for text in shown) >= 7 and figure.get_figwidth() * 25.4 in (85, 174)


@pytest.mark.parametrize("decades", [0.12, 0.21, 0.48, 0.91, 1.1, 1.4, 1.8, 3.1])
@pytest.mark.parametrize("wide", [False, True])
def test_an_axis_of_compute_of_any_span_says_its_scale_in_labels_that_are_apart(decades, wide):
    """Between one and two decades they lay on one another."""
    computes = 1.3e11 * np.geomspace(1, 10**decades, 12)
    points = table(computes, 0.5 * (computes / computes[0]) ** -0.2)
    figure = draw("frontier", subject(points), wide=wide).figure
    figure.canvas.draw()
    shown, axes = visible(figure), figure.axes[0]
    boxes = [text.get_window_extent() for text in shown]
    assert [(shown[n], b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)] == []
    labels = [text for text in axes.get_xticklabels(which="both") if text in shown]
    assert len(labels) > 1 and {text.get_fontsize() for text in labels} == {7}


def visible(figure) -> list[Text]:
    """The texts that are drawn; labels of ticks outside the limits of their axis are made, but not drawn."""
    axis = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    outside = [
        label
        for one in axis
        for tick in [*one.get_major_ticks(), *one.get_minor_ticks()]
        for label in (tick.label1, tick.label2)
        if not min(one.get_view_interval()) <= tick.get_loc() <= max(one.get_view_interval())
    ]
    texts = figure.findobj(lambda artist: isinstance(artist, Text) and artist not in outside)
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def test_the_bottleneck_is_the_best_run_of_each_size():
    points = laptop()
    _, data = drawn("bottleneck")
    best = points.groupby("params")[METRIC].min()
    assert [run["params"] for run in data["params"]] == list(best.index)
    assert [run[METRIC] for run in data["params"]] == pytest.approx(best.tolist())
    assert [run["data_size"] for run in data["data_size"]] == [100, 350, 1400]


def test_the_samples_of_each_model_fall_all_the_way():
    _, data = drawn("samples")
    for model in ("nano", "micro", "mini"):
        errors = [run[METRIC] for run in data["best"] if run["model"] == model]
        assert errors == sorted(errors, reverse=True) and len(set(errors)) == len(errors) > 1


def test_the_minima_of_planted_budgets_are_drawn_where_they_are():
    figure, data = drawn("isoflop")
    marks = figure.axes[0].collections
    assert len(marks) == 3 == len(data["budgets"])
    for one, mark in zip(data["budgets"], marks, strict=True):
        assert one["params"] == pytest.approx(1e7 * (one["compute"] / 1e18) ** 0.5, rel=0.05)
        assert mark.get_offsets()[0][0] == pytest.approx(one["params"])


def test_the_figure_counts_the_minima_and_budgets_that_the_report_counts():
    lone = budgets()[:2].assign(run=["a", "b"], flops=[1e16, 1e17])
    points = pd.concat([budgets(), lone], ignore_index=True)
    made = draw("isoflop", subject(points))
    title = made.figure.axes[0].get_title(loc="left")
    assert title == "3 minima of 5 budgets (fewer than 5 sizes)"
    report = isoflop(points, METRIC)
    assert "3 minima of 5 budgets" in str(report)
    assert json.loads(json.dumps(made.data["budgets"])) == report.to_json()["budgets"]
    assert len(made.figure.axes[0].collections) == 3


def test_a_budget_whose_computes_differ_by_rounding_is_drawn_whichever_way_they_lean():
    """Sizes above the best one have more compute by a hair, and more error: that is no metric that rises."""
    points = budgets(edge=True).iloc[:7]
    points["flops"] *= 1 + 1e-4 * np.arange(7)
    (budget,) = draw("isoflop", subject(points)).data["budgets"]
    assert budget["sizes"] == 7 and points[["flops", METRIC]].corr("spearman").iloc[0, 1] > 0.9


def test_a_minimum_at_the_edge_is_none_with_the_reason():
    made = draw("isoflop", subject(budgets(edge=True)))
    axes = made.figure.axes[0]
    assert len(axes.collections) == 0 and "smallest" in axes.get_title(loc="left")
    assert {budget["params"] for budget in made.data["budgets"]} == {None}


def test_the_reasons_of_many_budgets_lie_inside_their_figure():
    lone = pd.concat([budgets()[:1].assign(run=f"lone-{n}", flops=1e16 / 2**n) for n in range(17)])
    figure = draw("isoflop", subject(pd.concat([budgets(edge=True), lone], ignore_index=True))).figure
    figure.canvas.draw()
    title = figure.axes[0]._left_title
    said = " ".join(title.get_text().split())
    assert said == "0 minima of 20 budgets (fewer than 5 sizes; the smallest size is the best)"
    assert figure.bbox.x0 <= title.get_window_extent().x0 and title.get_window_extent().x1 <= figure.bbox.x1


def test_each_run_has_its_curve_and_measurements_hide_no_means():
    points = laptop()
    figure, data = drawn("curves")
    assert len(figure.axes[0].lines) == 36 and len(data["rows"]) == 3 * 36
    few = points[points["run"].isin(points["run"].unique()[:12])]
    made = draw("curves", subject(few, curves=curves(few)))
    assert len(made.figure.axes[0].lines) == 2 * 12
    said = ["measured" in str([text.get_text() for text in one.findobj(Text)]) for one in (figure, made.figure)]
    assert said == [False, True]
    with pytest.raises(Refused, match=r"give .* scalectl\.curves"):
        draw("curves", subject(points))
    for name in ("lost", "run"):
        with pytest.raises(Refused, match="curves have flops, loss"):
            draw("curves", subject(points, curves=curves(points), curve=name))


def test_the_map_has_the_least_error_of_each_pair_and_leaves_gaps_empty():
    figure, data = drawn("decay-map")
    assert data["weight_decay_head"] == [10, 1, 0.1] and data["weight_decay_body"] == [0.01, 0.1, 1]
    assert data["cells"][0] == pytest.approx([0.39, 0.40, 0.51]) and data["cells"][2][2] is None
    (box,) = figure.axes[0].patches
    assert box.get_xy() == (-0.5, -0.5) and len(figure.axes[0].texts) == 8


@pytest.mark.parametrize(
    "settings", [("weight_decay_head", "model"), ("steps", "seed"), ("lr", "steps"), ("steps",) * 2]
)
def test_settings_that_make_no_map_are_refused_by_name(settings):
    with pytest.raises(Refused, match=r"model|steps|lr"):
        draw("decay-map", subject(swept()), rows=settings[0], columns=settings[1])


def test_residuals_are_those_of_the_report_and_of_the_held_out_runs():
    points = laptop()
    law = fit(points, draws=20, hold_out=held_out(points))
    found = residuals(law)
    inside, out = found[~found["held_out"]], found[found["held_out"]]
    assert inside["residual"].to_numpy() == pytest.approx(law.residuals)
    assert len(law.average.members) > 1  # so that the prediction is another than the law's
    for name, column in {"residual": "got", "low": "low", "high": "high"}.items():
        ends = np.array([getattr(run, column) for run in law.held_out])
        assert out[name].to_numpy() == pytest.approx(np.log(ends / law.law(out["flops"])))
    with pytest.raises(Refused, match="few"):
        draw("residuals", subject(points, note="few"))


def test_no_global_state_of_matplotlib_is_touched(tmp_path):
    before = dict(mpl.rcParams)
    draw("frontier", subject(laptop())).save(tmp_path / "f.svg")
    assert dict(mpl.rcParams) == before


# keys of every kind that a user's matplotlibrc may hold: of text, of what is drawn, and of files
RC = {
    "text.usetex": True,
    "font.family": "serif",
    "font.size": 19,
    "mathtext.fontset": "cm",
    "axes.grid": True,
    "axes.facecolor": "black",
    "axes.spines.left": False,
    "axes.unicode_minus": False,
    "lines.linewidth": 7,
    "lines.marker": "x",
    "image.cmap": "gray",
    "legend.frameon": True,
    "figure.autolayout": True,
    "figure.facecolor": "red",
    "path.sketch": (1, 100, 2),
    "savefig.bbox": "tight",
    "savefig.facecolor": "blue",
    "svg.fonttype": "none",
}


def saved(figure) -> bytes:
    picture = BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_users_matplotlibrc_reaches_no_figure_and_is_left_alone(name):
    plain = saved(drawn(name)[0])
    with mpl.rc_context(RC):
        before = dict(mpl.rcParams)
        figure, _ = drawn(name)
        assert saved(figure) == plain
        assert dict(mpl.rcParams) == before


def test_a_solver_that_ends_a_bit_off_changes_no_byte(monkeypatch):
    """The constrained layout's does, by the addresses of its terms: once in ten drawings of a frontier."""
    plain, solved = saved(drawn("frontier")[0]), ConstrainedLayoutEngine.execute

    def a_bit_off(engine, figure):
        solved(engine, figure)
        for axes in figure.axes:
            place = axes.get_position(original=True)
            axes.set_position(np.array(place.bounds) * (1 + 1e-15), which="original")
            axes.set_in_layout(True)

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", a_bit_off)
    assert saved(drawn("frontier")[0]) == plain


def test_a_figure_of_a_users_own_is_written_and_shown_without_their_matplotlibrc(tmp_path):
    with mpl.rc_context(RC):
        figure = Figure()
        drawing = Drawing(figure, {})
        with mpl.rc_context({"text.usetex": False}):  # as `draw` makes it
            figure.suptitle("title")
        drawing.save(tmp_path / "sizes.png")
        assert drawing._repr_png_()[1:4] == b"PNG"
    with Image.open(tmp_path / "sizes.png") as picture:
        assert picture.size == (1920, 1440)  # all of it, at 300 dots an inch


def test_dollars_in_names_are_dollars(tmp_path):
    metric = "my/$er_{r $ error"
    points = laptop().rename(columns={METRIC: metric}).replace({"model": {"mini": r"a$b$\frac{"}})
    figure = draw("frontier", Subject(points, metric, "flops", None)).figure
    figure.savefig(tmp_path / "frontier.png")
    names = [line for line in texts(figure).splitlines() if "er_" in line or "frac" in line]
    assert len(names) >= 2 and not any(map(cbook.is_math_text, names))


@pytest.mark.parametrize("name", ["frontier", "samples", "bottleneck", "isoflop"])
def test_an_error_of_zero_is_said_where_its_axis_cannot_show_it(name):
    points = budgets()
    assert "at 0" not in texts(draw(name, subject(points)).figure)
    points.loc[points[METRIC].idxmin(), METRIC] = 0.0
    assert "1 run at 0: not on this axis" in texts(draw(name, subject(points)).figure)
    points.loc[points[METRIC].nsmallest(2).index, METRIC] = 0.0
    assert "2 runs at 0" in texts(draw(name, subject(points)).figure)


def test_a_run_alone_on_its_trunk_has_no_line():
    points = laptop()
    alone = points.drop_duplicates(["model", "data_size"])
    assert list(trunks(alone, alone, METRIC, "flops")) == []
    assert len(list(trunks(points, alone, METRIC, "flops"))) == len(alone) == 9


def test_pyplot_is_never_loaded():
    code = "import sys, scalectl.analysis.figures.frontier; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
