"""Few-shot regression against scikit-learn, and evaluation on features that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from scalectl.trainer import own
from scalectl.trainer.data.images import Images
from scalectl.trainer.evaluate import fewshot, regressed, ridge, shots, upstream
from scalectl.trainer.spec import FewshotSpec
from scalectl.trainer.step import Readings

RNG = np.random.default_rng(17)
CENTRES = RNG.normal(size=(10, 24))


def features(count: int, noise: float, seed: int = 3) -> Images:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    return Images((CENTRES[labels] + noise * rng.normal(size=(count, 24))).astype(np.float32), labels)


@pytest.mark.parametrize(("rows", "columns"), [(50, 7), (7, 50), (20, 20), (250, 193), (193, 250)])
@pytest.mark.parametrize("l2", [1e-2, 37.0, 1024.0])
def test_ridge_is_that_of_scikit_learn(rows, columns, l2):
    x, y = RNG.normal(size=(rows, columns)), RNG.normal(size=(rows, 3))
    expected = Ridge(alpha=l2, fit_intercept=False, solver="svd").fit(x, y).coef_.T
    np.testing.assert_allclose(ridge(x, y, l2), expected, rtol=1e-8, atol=1e-12)


def features_of_many_scales(count: int, width: int, seed: int) -> Images:
    """Features that tell ten classes apart now and then, each with an offset and a scale of its own."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(29).normal(size=(10, width))
    labels = rng.permutation(np.arange(count) % 10)
    plain = centres[labels] + 0.9 * width**0.5 * rng.normal(size=(count, width))
    return Images((plain * np.geomspace(0.1, 50, width) + np.linspace(-37, 20, width)).astype(np.float32), labels)


def biased(scaler: StandardScaler, features: np.ndarray) -> np.ndarray:
    """Features standardised by scikit-learn, with the constant one beside them."""
    return np.hstack([scaler.transform(features), np.full((len(features), 1), 100.0)])


@pytest.mark.parametrize("count", [1, 5, 10, 25])
@pytest.mark.parametrize("width", [7, 60])  # fewer features than images for all but one shot, and more up to five
@pytest.mark.parametrize("l2", [0.5, 37.0, 1024.0])
def test_few_shots_are_scikit_learns_ridge_on_the_same_features(count, width, l2):
    pool, test = features_of_many_scales(600, width, 1), features_of_many_scales(700, width, 2)
    errors = []
    for seed in range(3):
        train = pool.take(shots(pool.labels, count, seed))
        scaler = StandardScaler().fit(train.pixels.astype(np.float64))
        x, z = (biased(scaler, one.pixels) for one in (train, test))
        truth = RidgeClassifier(alpha=l2, fit_intercept=False, solver="svd").fit(x, train.labels)  # Ridge on +-1
        np.testing.assert_allclose(regressed(train, test.pixels, 10, l2), truth.decision_function(z), atol=2e-4)
        errors.append(1.0 - truth.score(z, test.labels))
    assert 0.1 < np.mean(errors) < 0.9
    assert fewshot(pool, test, FewshotSpec("digits", count, 3, l2)) == pytest.approx(np.mean(errors), abs=1e-9)


def test_classes_far_apart_are_told_from_one_shot():
    assert fewshot(features(200, 0.05), features(300, 0.05, seed=4), FewshotSpec("digits", 1, 3, 1024.0)) == 0.0


def test_features_that_say_nothing_leave_chance():
    blind = Images(RNG.normal(size=(500, 24)).astype(np.float32), np.arange(500) % 10)
    error = fewshot(blind, Images(blind.pixels[::-1].copy(), blind.labels), FewshotSpec("digits", 10, 3, 1024.0))
    assert 0.82 < error < 0.97


def test_more_shots_make_fewer_errors():
    train, test = features(600, 1.5), features(900, 1.5, seed=4)
    errors = [fewshot(train, test, FewshotSpec("digits", count, 5, 1024.0)) for count in (1, 5, 25)]
    assert errors[0] > errors[1] > errors[2]


def test_neither_scale_nor_offset_of_a_feature_matters():
    train, test, spec = features(300, 1.0), features(400, 1.0, seed=4), FewshotSpec("digits", 5, 3, 1024.0)
    scale, offset = np.geomspace(1e-2, 1e3, 24), np.linspace(-37, 500, 24)
    moved = [Images(one.pixels * scale + offset, one.labels) for one in (train, test)]
    assert fewshot(*moved, spec) == pytest.approx(fewshot(train, test, spec), abs=0.01)


@given(st.integers(0, 99), st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_shots_are_balanced_and_nested(seed, count):
    labels = np.arange(300) % 10
    few, more = shots(labels, count, seed), shots(labels, count + 1, seed)
    assert set(few) < set(more)
    assert np.bincount(labels[few]).tolist() == [count] * 10


def test_a_class_with_too_few_images_is_named():
    with pytest.raises(ValueError, match="8 shots asked for, but class 1 has only 7"):
        shots(np.repeat([0, 1], [9, 7]), 8, 0)


READ = Readings(np.array([0.5, 1.5, 4.0], np.float32), np.array([True, False, False]), np.zeros((3, 2)), None, None)


@pytest.mark.parametrize(("name", "value"), [("loss", 2.0), ("error", 1 / 3), ("precision@1", 2 / 3)])
def test_upstream_is_the_mean_over_the_images(name, value):
    assert upstream(READ, name) == (pytest.approx(value), 3)


@pytest.mark.parametrize(
    ("found", "value", "images"),
    [
        (lambda read: read.wrong[:2], 0.5, 2),  # those of a class, say
        (lambda read: read.loss[read.loss > 9], np.nan, 0),
        (lambda read: np.median(read.loss), 1.5, 3),
        (lambda read: 7, 7.0, 3),
        (lambda read: np.ma.masked_greater(read.loss, 2.0), 1.0, 2),
        (lambda read: np.ma.masked_less(read.loss, 9.0).mean(), np.nan, 3),
    ],
)
def test_a_metric_of_ones_own_is_measured_on_the_images_that_count(monkeypatch, found, value, images):
    monkeypatch.setattr(own, "thing", lambda kind, key: found)
    assert upstream(READ, "mine") == (pytest.approx(value, nan_ok=True), images)


def test_a_metric_with_several_numbers_an_image_is_refused(monkeypatch):
    monkeypatch.setattr(own, "thing", lambda kind, key: lambda read: read.features)
    with pytest.raises(
        ValueError, match=r"metric 'mine' gave an array of shape \(3, 2\); return a value for each image"
    ):
        upstream(READ, "mine@0123456789ab")
