"""Laws of the cheaper runs against the frontier that dearer ones reached."""

import numpy as np
import pytest
from runs import METRIC, doubly, table

import scalectl
from scalectl.analysis.backtests import backtest
from scalectl.analysis.checks import Refused
from scalectl.analysis.fitting import fit
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.report.fits import reported

COMPUTE = np.geomspace(1e9, 1e14, 36)
NOISE = np.exp(0.01 * np.random.default_rng(1).normal(size=36))
LAW = doubly(8e2, 3e9, 0.33, 0.03, "FLOPs")


def test_a_law_that_goes_on_is_found_to():
    test = backtest(table(COMPUTE, LAW(COMPUTE) * NOISE), METRIC, draws=50)
    assert [cut.share for cut in test.cuts] == [10, 30] and not test.refused
    for cut in test.cuts:
        assert cut.fitted.frontier["flops"].max() <= 1e14 / cut.share < cut.later["flops"].min()
        assert cut.rms < 0.1 and cut.coverage >= 0.8
    assert "backtest from 1/10 of the compute" in str(test) and "would have had to be" not in str(test)
    assert test.to_json()["cuts"][0]["points"] == len(test.cuts[0].later)


def test_a_law_that_breaks_is_found_to_and_says_how_much_wider_it_should_have_been():
    error = LAW(COMPUTE) * NOISE
    error[COMPUTE > 3e12] *= (COMPUTE[COMPUTE > 3e12] / 3e12) ** -0.5
    test = backtest(table(COMPUTE, error), METRIC, draws=50)
    assert test.wider > 1.5 and min(cut.coverage for cut in test.cuts) < 0.5
    assert "intervals would have had to be" in str(test)


def test_too_few_runs_are_refused_cut_by_cut():
    test = backtest(table(COMPUTE[:8], LAW(COMPUTE[:8])), METRIC)
    assert not test.cuts and "needs 6" in test.refused[10] and "10 of the compute: upstream/error" in str(test)


def test_a_report_ends_with_a_backtest_where_its_runs_carry_one():
    points = table(COMPUTE, LAW(COMPUTE) * NOISE)
    line = reported(points, Fit(metric=METRIC), (), fit(points, METRIC, draws=0)).splitlines()[-1]
    assert line.startswith("  backtest from 1/10 of the compute: 0.0") and "inside the 90 % interval" in line
    few, held = points.iloc[:12], set(points["run"].iloc[9:12])  # of runs that are held out nothing is foreseen
    assert "backtest" not in reported(few, Fit(metric=METRIC), held, fit(few, METRIC, draws=0, hold_out=held))


def test_the_figure_shows_every_cut_and_is_refused_without_one():
    points = table(COMPUTE, LAW(COMPUTE) * NOISE)
    drawing = scalectl.plot(points, "backtest", METRIC, draws=0)
    assert [cut["share"] for cut in drawing.data["cuts"]] == [10, 30] and len(drawing.data["cuts"][0]["later"]) > 2
    assert "from 1/30" in drawing.figure.axes[0].get_title(loc="left")
    with pytest.raises(Refused, match="needs 6"):
        scalectl.plot(points.iloc[:8], "backtest", METRIC, draws=0)
