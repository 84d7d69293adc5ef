"""A law is one file, or one entry from outside: it is fitted, reported, predicted from and drawn like the others."""

import numpy as np
import pytest
from runs import METRIC, table

from scalectl import analysis
from scalectl.analysis.law import FLOOR, LOG, SCALE, Family, Parameter
from scalectl.analysis.vocabulary import LAWS

# the error of a logarithm: no power of compute, and two parameters that no other law has
ONSET = Parameter(
    "onset",
    "t",
    compute=1,
    bounds=lambda span: (span.least / 10, 10 * span.most),
    starts=lambda span: LOG.spaced(span.least, span.most, 4),
)
ORDER = Parameter("order", "k", bounds=lambda span: (0.5, 3.0), starts=lambda span: LOG.coordinate((0.7, 1.0, 2.0)))


def shape(C, onset, order):
    return np.log(np.e + C / onset) ** -order


TOY = Family(
    "logarithmic",
    "E = a log(2.718 + C/t)^-k + c",
    "this test",
    (SCALE, ONSET, ORDER, FLOOR),
    shape=lambda C, onset, order, floor: shape(C, onset, order),
    error=lambda C, scale, onset, order, floor: scale * shape(C, onset, order) + floor,
)
PARAMS = {"scale": 0.8, "onset": 3e9, "order": 1.5, "floor": 0.02}


@pytest.fixture(scope="module", autouse=True)
def toy():
    LAWS.add("toy", TOY, "E = a log(2.718 + C/t)^-k + c: a law of this test.")
    yield
    LAWS.remove("toy")


@pytest.fixture(scope="module")
def points():
    compute = np.geomspace(1e9, 1e13, 24)
    return table(compute, TOY.law("FLOPs", **PARAMS)(compute))


def test_it_is_fitted_by_its_word(points):
    fitted = analysis.fit(points, law="toy", draws=30)
    assert fitted.law.params() == pytest.approx(PARAMS, rel=1e-3)
    assert fitted.intervals.keys() == PARAMS.keys()
    for name, (low, high) in fitted.intervals.items():
        assert low <= fitted.law.params()[name] <= high
    assert "order" in str(fitted) and TOY.formula in str(fitted)


def test_its_unit_changes_no_prediction(points):
    plain, scaled = (
        analysis.fit(runs, law="toy", draws=0) for runs in (points, points.assign(flops=points["flops"] * 37))
    )
    assert scaled.law(37e14) == pytest.approx(plain.law(1e14), rel=1e-6)
    assert scaled.law.params()["onset"] == pytest.approx(37 * plain.law.params()["onset"], rel=1e-3)


def test_a_parameter_at_its_bound_is_warned_of():
    compute = np.geomspace(1e9, 1e13, 24)
    flat = TOY.law("FLOPs", **(PARAMS | {"order": 0.2, "floor": 0.0}))
    fitted = analysis.fit(table(compute, flat(compute)), law="toy", draws=0)
    assert any("the order is at its bound 0.5" in warning for warning in fitted.warnings)


def test_it_predicts_and_is_drawn(points):
    assert analysis.predict(points, compute=1e14, law="toy").estimate == pytest.approx(
        float(TOY.law("FLOPs", **PARAMS)(1e14)), rel=1e-3
    )
    drawing = analysis.plot(points, "frontier", METRIC, law="toy", draws=5)
    assert drawing.data["fit"]["law"] == "logarithmic"


def test_a_word_is_taken_once_and_an_unknown_one_is_refused_with_those_there_are(points):
    with pytest.raises(ValueError, match="'toy' already"):
        LAWS.add("toy", TOY, "again")
    with pytest.raises(analysis.Refused, match=r"unknown law 'toi': did you mean 'toy'.*bnsl, doubly-saturating.*toy"):
        analysis.fit(points, law="toi")
