"""What callers hand to the analysis: what can't be used is refused by its name, and what can is."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, doubly, laptop, planted, table

from scalectl import analysis
from scalectl.analysis.budgets import isoflop
from scalectl.analysis.checks import Refused
from scalectl.analysis.fitting import fit
from scalectl.analysis.groups import fit_each
from scalectl.analysis.prediction import predict
from scalectl.analysis.runs import frontier
from scalectl.analysis.store import read
from scalectl.analysis.vocabulary import FIGURES

POINTS = planted(doubly(4.0e8, 37e16, 0.55, 0.02, "FLOPs"), 1e16, 1e20, 30, 20, 0.01, seed=7).assign(images_seen=1e6)
NEW = pd.DataFrame({"run": ["a", "b"], "name": ["a", "b"], "flops": [1e20, 3e20], "images_seen": 1e6, "data_size": 350})


# runs of four model sizes with four amounts of data each
N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e6, 1e9, 4), np.geomspace(1e6, 1e9, 4)))
SIZES = table(6 * N * D, 1.7 + 400 * N**-0.34 + 410 * D**-0.28).assign(params=N, images_seen=D)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1, 0, "much", 10**400])
@pytest.mark.parametrize("name", ["compute", "error", "params", "data"])
def test_a_prediction_is_asked_for_by_numbers_above_0(name, number):
    asked = {"params": 1e6, "data": 1e6} if name in ("params", "data") else {}
    with pytest.raises(Refused, match=f"^{name} = .*finite and above 0"):
        analysis.predict(POINTS, **(asked | {name: number}))


@pytest.mark.parametrize("number", [np.nan, np.inf, -1, 0])
def test_advice_is_asked_for_by_numbers_above_0(number):
    with pytest.raises(Refused, match=r"^budget = "):
        analysis.suggest(POINTS, NEW, number)
    with pytest.raises(Refused, match=r"^target = "):
        analysis.suggest(POINTS, NEW, 1e21, target=number)


@pytest.mark.parametrize("name", ["flops", "images_seen", "data_size"])
@pytest.mark.parametrize("number", [np.nan, 0.0, -1.0])
def test_a_candidate_without_a_cost_or_a_place_is_refused_by_its_id(name, number):
    odd = NEW.assign(**{name: [NEW[name][0], number]})
    with pytest.raises(Refused, match=f"run b has {name} = "):
        analysis.suggest(POINTS, odd, 1e21)


@pytest.mark.parametrize("number", [np.nan, 0, -1, [1e6, -1]])
def test_a_surface_is_asked_about_numbers_above_0(number):
    law = analysis.fit_surface(SIZES["params"], SIZES["images_seen"], SIZES[METRIC])
    for ask in (law.optimal, lambda one: law.predict(one, 1e6), lambda one: law.predict(1e6, one)):
        with pytest.raises(Refused, match="finite and above 0"):
            ask(number)
    with pytest.raises(Refused, match="n = 0"):
        law.bootstrap(0)


@pytest.mark.parametrize("ask", [frontier, fit, isoflop])
def test_all_columns_that_a_table_lacks_are_named(ask):
    with pytest.raises(Refused, match=r"no column run, state, excluded.*flops"):
        ask(POINTS[["model", METRIC]], METRIC)


@pytest.mark.parametrize(
    ("missing", "ask"),
    [
        ("model", lambda points: fit(points)),
        ("name", lambda points: fit(points, hold_out=["run-001"])),
        ("images_seen", lambda points: isoflop(points, METRIC)),
        ("params", lambda points: isoflop(points, METRIC)),
        ("params", lambda points: analysis.predict(points, params=1e6, data=1e6)),
        ("images_seen", lambda points: analysis.predict(points, params=1e6, data=1e6)),
        ("images_seen", lambda points: analysis.suggest(points, NEW, 1e21)),
        ("params", lambda points: fit_each(points, METRIC, "flops", per="model")),
    ],
)
def test_a_column_that_a_question_needs_is_named(missing, ask):
    with pytest.raises(Refused, match=f"no column {missing};"):
        ask(POINTS.drop(columns=missing))


@pytest.mark.parametrize("figure", ["frontier", "bottleneck", "samples", "residuals"])
def test_a_column_that_a_figure_shows_is_named(figure):
    points = laptop()
    points["images_seen"] = 64.0 * points["steps"]
    for missing in ("name", *FIGURES[figure].columns):
        with pytest.raises(Refused, match=f"no column {missing};"):
            analysis.plot(points.drop(columns=missing), figure, METRIC, law="power", draws=0)
    kept = ["run", "name", "study", "state", "excluded", "flops", METRIC, *FIGURES[figure].columns]
    assert analysis.plot(points[points.columns.intersection([*kept, "model"])], figure, METRIC, law="power", draws=0)


@pytest.mark.parametrize("name", ["flops", METRIC, "batch_size"])
@pytest.mark.parametrize("ask", [frontier, fit, isoflop, analysis.plot])
def test_a_column_that_a_table_has_twice_is_named(ask, name):
    with pytest.raises(Refused, match=f"the column {name} more than once"):
        points = SIZES.assign(batch_size=8)
        ask(pd.concat([points, points[[name]]], axis=1))


@pytest.mark.parametrize("asked", [{"metric": [METRIC]}, {"x": ["flops"]}, {"law": ["power"]}])
def test_a_list_in_place_of_a_name_is_refused(asked):
    for ask in (fit, analysis.backtest):
        with pytest.raises(Refused, match=r"^unknown (metric|compute|law) "):
            ask(POINTS, **asked)


@pytest.mark.parametrize("missing", ["run", "name", "flops", "images_seen", "data_size"])
def test_a_column_that_candidates_lack_is_named(missing):
    with pytest.raises(Refused, match=f"no column {missing};"):
        analysis.suggest(POINTS, NEW.drop(columns=missing), 1e21)


@pytest.mark.parametrize("name", [METRIC, "flops"])
def test_a_column_of_words_is_refused(name):
    with pytest.raises(Refused, match=f"column {name} has 'much', which is no number"):
        fit(POINTS.assign(**{name: ["much", *POINTS[name][1:]]}))


@pytest.mark.parametrize("question", [{"compute": 1e21}, {"params": 1e6, "data": 1e6}])
@pytest.mark.parametrize("kind", [float, Decimal])
def test_numbers_of_any_kind_are_numbers(question, kind):
    names = ["flops", "params", "images_seen", METRIC]
    changed = {name: pd.Series([kind(value) for value in SIZES[name]], dtype=object) for name in names}
    found, plain = (analysis.predict(points, **question) for points in (SIZES.assign(**changed), SIZES))
    assert str(found) == str(plain)


def test_the_id_may_be_the_index_as_well():
    indexed = POINTS.set_index("run", drop=False)
    pd.testing.assert_frame_equal(frontier(indexed, METRIC), frontier(POINTS, METRIC))
    assert str(fit(indexed, draws=0)) == str(fit(POINTS, draws=0))


@pytest.mark.parametrize("ask", [frontier, fit, isoflop, predict])
def test_what_is_no_table_metric_or_column_is_refused_as_all_else_is(ask):
    question = {"compute": 1e9} if ask is predict else {}
    for given in ("results.db", None, [1, 2]):
        with pytest.raises(Refused, match="is no table of runs"):
            ask(given, **question)
    with pytest.raises(Refused, match="unknown metric 3"):
        ask(laptop(), 3, **question)
    with pytest.raises(Refused, match=r"unknown compute|no column \['flops'\]"):
        ask(laptop(), METRIC, ["flops"], **question)


@pytest.mark.parametrize("excluded", [np.nan, None, pd.NA])
def test_a_run_of_which_it_is_not_told_is_not_excluded(excluded):
    points = POINTS.assign(excluded=pd.Series([True, *[excluded] * (len(POINTS) - 1)], dtype=object))
    plain = POINTS.assign(excluded=POINTS["run"] == POINTS["run"][0])
    assert str(fit(points, draws=0)) == str(fit(plain, draws=0))
    assert analysis.plot(points, "frontier", draws=0).data["left_out"] == [
        {"run": "run-000", "name": "run-000", "why": "excluded"}
    ]
    assert len(frontier(points.assign(excluded=excluded))) == len(frontier(POINTS))


@pytest.mark.parametrize("question", [{"compute": 1e21}, {"params": 1e6, "data": 1e6, "data_size": 1e6}])
def test_a_prediction_is_of_one_number_which_may_be_a_text(question):
    found = analysis.predict(SIZES, **question)
    for name, number in question.items():
        assert str(analysis.predict(SIZES, **(question | {name: f"{number:g}"}))) == str(found)
        with pytest.raises(Refused, match=rf"^{name} = array\(\[.*give one number"):
            analysis.predict(SIZES, **(question | {name: np.array([number, number])}))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"draws": -1}, "draws = -1: give a whole number, 0 or more"),
        ({"draws": 1.5}, "draws = 1.5: give a whole number"),
        ({"draws": "many"}, "draws = 'many': give a whole number"),
        ({"seed": -1}, "seed = -1: give a whole number"),
        ({"correlation": "all"}, "correlation = 'all': give a number from 0 to 1"),
    ],
)
def test_options_that_cannot_be_are_refused_by_their_names(wrong, said):
    for ask in (fit, analysis.backtest):
        with pytest.raises(Refused, match=said):
            ask(POINTS, **wrong)


@pytest.mark.parametrize(
    ("shares", "said"), [((0,), "= 0"), ([-3], "= -3"), (["a"], "= 'a'"), (10, "= 10: give a list")]
)
def test_shares_of_a_backtest_are_numbers_above_0(shares, said):
    with pytest.raises(Refused, match=f"^shares {said}"):
        analysis.backtest(POINTS, shares=shares)


def test_draws_of_a_surface_are_a_number():
    law = analysis.fit_surface(SIZES["params"], SIZES["images_seen"], SIZES[METRIC])
    assert law.draws(np.int64(2)).shape == (2, 5)
    for ask in (law.draws, law.bootstrap):
        with pytest.raises(Refused, match=r"n = 2\.5: give a whole number"):
            ask(2.5)


@pytest.mark.parametrize("shape", [(), (4, 6), (0,)])
def test_a_law_and_its_band_have_the_shape_of_the_compute(shape):
    law, compute = fit(POINTS, draws=20), np.geomspace(1e15, 1e22, 24)
    asked = np.resize(compute, shape)
    for answers, flat in zip([law(asked), *law.band(asked)], [law(compute), *law.band(compute)], strict=True):
        assert answers.shape == shape and (answers.ravel() == flat[: asked.size]).all()


def test_runs_to_hold_out_are_ids_of_the_table():
    with pytest.raises(Refused, match="hold_out: the table has no run nix"):
        fit(laptop(), hold_out=["run-000", "nix"], draws=0)
    with pytest.raises(Refused, match="give a list of ids"):
        fit(laptop(), hold_out="run-000", draws=0)


def test_a_store_that_is_not_there_is_refused_and_no_reason_says_so_twice(tmp_path):
    with pytest.raises(Refused, match="there is no store here"):
        read(tmp_path / "none.db")
    with pytest.raises(Refused, match=r"^upstream/error vs flops has 1 frontier point among"):
        fit(laptop().head(1))
