"""The law as a formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import doubly, table

from scalectl.analysis.fitting import fit
from scalectl.analysis.law import family
from scalectl.analysis.vocabulary import LAWS

POWER, SATURATING, M3, M4, BNSL = map(family, ("power", "saturating", "m3", "m4", "bnsl"))

# Figure 2 of arXiv 2106.04560, ImageNet 10-shot, from its drawn curve
PAPER = doubly(scale=0.632602, offset=0.516441, exponent=0.319038, floor=0.123565, unit="core-days")


def test_it_is_the_papers_formula():
    # worked by hand: 3 (5 + 4)^-0.5 + 0.25 = 1.25
    assert doubly(3, 4, 0.5, 0.25, "FLOPs")(5) == pytest.approx(1.25, abs=1e-15)
    assert PAPER(0) == pytest.approx(0.905, abs=1e-3)


def test_it_ends_at_its_floor_and_falls_all_the_way():
    errors = PAPER(np.geomspace(1e-3, 1e30, 50))
    assert (np.diff(errors) < 0).all() and errors[-1] == pytest.approx(PAPER.floor, abs=1e-9)


@given(st.floats(1e-6, 1e20), st.floats(1e-3, 1e5))
def test_in_another_unit_it_is_the_same_law(factor, compute):
    other = PAPER.per(factor, "FLOPs")
    assert other(compute * factor) == pytest.approx(PAPER(compute), rel=1e-9)
    assert (other.params()["exponent"], other.floor, other.unit) == (PAPER.params()["exponent"], PAPER.floor, "FLOPs")


def test_it_reads_as_a_formula_with_its_unit():
    assert str(PAPER) == "E = 0.633 (C + 0.516)^-0.319 + 0.124, C in core-days"
    assert str(doubly(37.0, 0.0, 0.5, 0.0, "FLOPs")) == "E = 37 C^-0.5, C in FLOPs"
    assert str(POWER.law("FLOPs", scale=37, exponent=0.5)) == "E = 37 C^-0.5, C in FLOPs"


# worked by hand at C = 4
BY_HAND = [
    (POWER.law("C", scale=3, exponent=0.5), 1.5),
    (SATURATING.law("C", scale=3, exponent=0.5, floor=0.25), 1.75),
    (M3.law("C", scale=3, exponent=0.5, bend=2), 4.5),  # 3 (1/4 + 2)^0.5
    (M4.law("C", scale=1, exponent=0.5, floor=0, ceiling=0.5, approach=1), 0.25),  # E = 0.5 (1 - 2 E)
    (
        M4.law("C", scale=1, exponent=0.5, floor=0.1, ceiling=0.5, approach=2),
        (3 - 4.2**0.5) / 4,
    ),  # E - 0.1 = 0.5 (1 - 2 E)^2
    (BNSL.law("C", scale=6, exponent=0.5, late_exponent=1.5, sharpness=1, floor=0.25, **{"break": 4}), 1.75),
]


@pytest.mark.parametrize(("law", "error"), BY_HAND)
def test_each_family_is_its_formula(law, error):
    assert law(4) == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize(("law", "_"), BY_HAND)
def test_each_law_falls_and_its_inverse_gives_the_compute_back(law, _):
    compute = np.geomspace(1e-3, 1e6, 40)
    assert (np.diff(law(compute)) < 0).all()
    assert law.invert(law(compute)) == pytest.approx(compute, rel=1e-6)
    assert law.invert(law.floor) == np.inf and law.invert(float(law(5))) == pytest.approx(5)


@pytest.mark.parametrize(("law", "_"), BY_HAND)
def test_each_law_is_the_same_in_another_unit(law, _):
    compute = np.geomspace(1e-3, 1e6, 40)
    assert law.per(37e16, "FLOPs")(compute * 37e16) == pytest.approx(law(compute), rel=1e-9)


def test_an_error_above_where_a_law_starts_takes_no_compute():
    assert PAPER.invert([0.95, 0.1]).tolist() == [0.0, np.inf]
    assert isinstance(PAPER.invert(0.2), float)  # and not an array, which is no JSON


def test_every_family_has_a_word_for_the_command_line():
    assert set(LAWS) == {"power", "saturating", "shifted", "doubly-saturating", "m1", "m2", "m3", "m4", "bnsl"}


def test_predictions_average_laws_that_the_points_do_not_tell_apart_and_hold_their_spread():
    compute = np.geomspace(1e9, 1e12, 14)
    noise = np.exp(0.02 * np.random.default_rng(3).normal(size=14))
    points = table(compute, family("power").law("FLOPs", scale=60.0, exponent=0.25)(compute) * noise)
    average, alone = fit(points, draws=100), fit(points, law="doubly-saturating", draws=100)
    shares = {member.law.family.name: member.weight for member in average.average.members}
    assert sum(shares.values()) == pytest.approx(1) and {"power law", "doubly saturating"} <= shares.keys()
    assert average.law == alone.law and alone(1e13) == alone.law(1e13)
    assert average(1e13) < 0.99 * alone(1e13)
    predicted = [float(member.law(1e13)) for member in average.average.members]
    low, high = average.band([1e13])
    assert low < min(predicted) < average(1e13) < max(predicted) and average(1e13) < high
    assert average.average.invert(float(average(3e12))) == pytest.approx(3e12)
    assert "predictions average" in str(average) and "predictions average" not in str(alone)


def test_a_law_that_the_points_reject_has_no_say():
    compute = np.geomspace(1e9, 1e13, 20)
    noise = np.exp(0.01 * np.random.default_rng(3).normal(size=20))
    points = table(compute, doubly(8e2, 3e9, 0.33, 0.05, "FLOPs")(compute) * noise)
    assert {member.law.family.name for member in fit(points, draws=0).average.members} == {"doubly saturating"}
