"""The law as a formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.laws import Law

# Figure 2 of arXiv 2106.04560, ImageNet 10-shot, from its drawn curve
PAPER = Law(scale=0.632602, offset=0.516441, exponent=0.319038, floor=0.123565, unit="core-days")


def test_it_is_the_papers_formula():
    # worked by hand: 3 (5 + 4)^-0.5 + 0.25 = 1.25
    assert Law(3, 4, 0.5, 0.25, "FLOPs")(5) == pytest.approx(1.25, abs=1e-15)
    assert PAPER(0) == pytest.approx(0.905, abs=1e-3)


def test_it_ends_at_its_floor_and_falls_all_the_way():
    errors = PAPER(np.geomspace(1e-3, 1e30, 50))
    assert (np.diff(errors) < 0).all() and errors[-1] == pytest.approx(PAPER.floor, abs=1e-9)


@given(st.floats(1e-6, 1e20), st.floats(1e-3, 1e5))
def test_in_another_unit_it_is_the_same_law(factor, compute):
    other = PAPER.per(factor, "FLOPs")
    assert other(compute * factor) == pytest.approx(PAPER(compute), rel=1e-9)
    assert (other.exponent, other.floor, other.unit) == (PAPER.exponent, PAPER.floor, "FLOPs")


def test_it_reads_as_a_formula_with_its_unit():
    assert str(PAPER) == "E = 0.633 (C + 0.516)^-0.319 + 0.124, C in core-days"
    assert str(Law(37.0, 0.0, 0.5, 0.0, "FLOPs")) == "E = 37 C^-0.5, C in FLOPs"
