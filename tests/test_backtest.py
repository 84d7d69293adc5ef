"""Laws of the cheaper runs against the frontier that dearer ones reached."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from runs import METRIC, doubly, table

import scalectl
from scalectl.analysis.backtests import backtest
from scalectl.analysis.checks import Refused
from scalectl.analysis.estimation import estimated
from scalectl.analysis.fitting import fit
from scalectl.analysis.sample import Manner
from scalectl.analysis.scales import Solved
from scalectl.analysis.table import Table

COMPUTE = np.geomspace(1e9, 1e14, 36)
NOISE = np.exp(0.01 * np.random.default_rng(1).normal(size=36))
LAW = doubly(8e2, 3e9, 0.33, 0.03, "FLOPs")


def broken() -> np.ndarray:
    """Errors that fall more steeply from a hundredth of the largest compute on."""
    error = LAW(COMPUTE) * NOISE
    error[COMPUTE > 3e12] *= (COMPUTE[COMPUTE > 3e12] / 3e12) ** -0.5
    return error


def test_a_law_that_goes_on_is_found_to():
    test = backtest(table(COMPUTE, LAW(COMPUTE) * NOISE), METRIC, draws=50)
    assert [cut.share for cut in test.cuts] == [10, 30] and not test.refused
    for cut in test.cuts:
        assert cut.fitted.frontier["flops"].max() <= 1e14 / cut.share < cut.later["flops"].min()
        assert cut.rms < 0.1 and cut.coverage >= 0.8
    assert "backtest from 1/10 of the compute" in str(test) and "would have had to be" not in str(test)
    assert test.to_json()["cuts"][0]["points"] == len(test.cuts[0].later)


def test_a_law_that_breaks_is_found_to_and_says_how_much_wider_it_should_have_been():
    test = backtest(table(COMPUTE, broken()), METRIC, draws=50)
    assert test.wider > 1.5 and min(cut.coverage for cut in test.cuts) < 0.5
    assert "intervals would have had to be" in str(test)


def test_the_width_that_is_told_would_have_held_nine_of_ten_points_of_all_cuts():
    """One of two cuts failed: the mean of their factors held two thirds of the points."""
    compute = np.geomspace(1e14, 1e18, 14)
    near_chance = 0.05 + 0.85 / (1 + (compute / 1e17) ** 0.5)
    points = table(compute, near_chance * np.exp(0.01 * np.random.default_rng(773).normal(size=14)))
    test = backtest(points, METRIC, draws=50)
    assert len(test.cuts) == 2 and f"{test.wider:.2g} times as wide" in str(test)
    off, reach = [], []
    for cut in test.cuts:
        got, predicted, low, high = np.log(cut.later[["expected", "predicted", "low", "high"]].to_numpy(float)).T
        off += list(abs(got - predicted))
        reach += list(np.where(got < predicted, predicted - low, high - predicted))
    assert np.mean(np.array(off) <= (test.wider + 1e-9) * np.array(reach)) >= 0.88


def test_points_that_a_law_hits_to_the_last_digit_lie_inside():
    params = np.geomspace(1e7, 1e10, 12).astype(int)
    test = backtest(table(6e11 * params, 2.2 + 400 / params**0.34), METRIC, draws=50)
    assert [cut.coverage for cut in test.cuts] == [1, 1] and "would have had to be" not in str(test)


def test_too_few_runs_are_refused_cut_by_cut():
    test = backtest(table(COMPUTE[:8], LAW(COMPUTE[:8])), METRIC)
    assert not test.cuts and "needs 6" in test.refused[10] and "10 of the compute: upstream/error" in str(test)


def test_a_cut_that_is_too_short_is_told_in_few_words():
    compute = np.geomspace(1e10, 1e10 * 10**2.2, 12)
    lines = list(backtest(table(compute, LAW(compute)), METRIC, draws=50).lines())
    assert any(line.endswith(" and a law with 4 parameters needs 6") for line in lines), lines
    assert not any("Add budgets" in line for line in lines)


def test_a_report_ends_with_a_backtest_where_its_runs_carry_one():
    points = table(COMPUTE, LAW(COMPUTE) * NOISE)
    fitted = fit(points, METRIC, draws=200)
    line = str(fitted).splitlines()[-1]
    assert line.startswith("  backtest from 1/10 of the compute: 0.0") and "inside the 90 % interval" in line
    assert fitted.to_json()["backtest"] == [line.strip()] and fitted.to_json()["widened"] == 1
    few, held = points.iloc[:12], set(points["run"].iloc[9:12])  # of runs that are held out nothing is foreseen
    assert "backtest" not in str(fit(few, METRIC, draws=50, hold_out=held))


def test_intervals_that_failed_a_backtest_are_widened_by_what_they_missed_and_both_report_and_figure_say_so():
    points = table(COMPUTE, broken())
    fitted, alone = fit(points, METRIC, draws=50), estimated(points, METRIC, "flops", (), Manner(draws=50))
    (cut,) = backtest(points, METRIC, shares=[10], draws=50).cuts
    assert cut.failed and fitted.average.stretch == pytest.approx(cut.wider) and cut.wider > 1.5
    assert fitted.law == alone.law and f"intervals are {cut.wider:.2g} times as wide" in str(fitted)
    inside = np.array([1e12])
    low, high = (np.log(end / fitted(inside)) for end in fitted.band(inside))
    near, far = (np.log(end / alone(inside)) for end in alone.band(inside))
    assert low == pytest.approx(cut.wider * near)
    assert high == pytest.approx(cut.wider * far, rel=0.02)  # beside what runs may be too low by luck
    drawing = scalectl.plot(points, metric=METRIC, draws=50)
    texts = [text.get_text() for legend in drawing.figure.artists for text in legend.get_texts()]
    assert any(text.endswith(f"90 % band, {cut.wider:.2g} x wider") for text in texts)


def test_few_later_points_and_one_that_lies_outside_by_chance_widen_nothing():
    """Of five intervals that are right, one misses in four studies of ten."""
    (cut,) = backtest(table(COMPUTE, LAW(COMPUTE) * NOISE), METRIC, shares=[10], draws=50).cuts
    right = cut.later.iloc[:5].assign(expected=cut.later["predicted"])
    one_off = right.assign(expected=right["expected"].where(right.index > 0, 9.0))
    assert replace(cut, later=one_off).coverage == 0.8 and not replace(cut, later=one_off).failed
    assert not replace(cut, later=one_off.iloc[:4].assign(expected=9.0)).failed
    assert replace(cut, later=one_off.assign(expected=9.0)).failed


def test_the_figure_shows_every_cut_and_is_refused_without_one():
    points = table(COMPUTE, LAW(COMPUTE) * NOISE)
    drawing = scalectl.plot(points, "backtest", METRIC, draws=0)
    assert [cut["share"] for cut in drawing.data["cuts"]] == [10, 30] and len(drawing.data["cuts"][0]["later"]) > 2
    assert "from 1/30" in drawing.figure.axes[0].get_title(loc="left")
    several = scalectl.plot(table(COMPUTE, 30 * COMPUTE**-0.2 * NOISE), "backtest", METRIC, draws=0)
    for drawn, words in ((drawing, "law of the cheaper runs"), (several, "laws of cheaper runs averaged")):
        texts = [text.get_text() for legend in drawn.figure.artists for text in legend.get_texts()]
        assert {"frontier", f"{words}, 90 % band"} <= set(texts)
    with pytest.raises(Refused, match="needs 6"):
        scalectl.plot(points.iloc[:8], "backtest", METRIC, draws=0)


def points_of(problem):
    """The family and the points of a problem, all runs or those of a backtest, as a key."""
    return problem.family.name, problem.compute.tobytes(), problem.error.tobytes()


def test_laws_of_one_table_are_those_of_each_alone_and_solve_a_family_once(monkeypatch):
    points, solved = table(COMPUTE, broken()), []
    laws = (None, "power", "saturating", "shifted")
    alone = [fit(points, METRIC, law=law, draws=50).to_json() for law in laws]
    of = Solved.of
    monkeypatch.setattr(Solved, "of", lambda problem: solved.append(points_of(problem)) or of(problem))
    shared = Table(points)
    assert alone == [
        fit(shared, METRIC, law=law, draws=50).to_json() for law in (None, "power", "saturating", "shifted")
    ]
    assert set(Counter(solved).values()) == {1}
    assert backtest(shared, METRIC, draws=50).to_json() == backtest(points, METRIC, draws=50).to_json()
