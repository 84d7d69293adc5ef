"""Position embeddings against closed forms and SciPy's zoom, which the original ViT resamples with."""

import numpy as np
import pytest
from scipy.ndimage import zoom

from scalectl.trainer.positions import resampled, sincos2d

RNG = np.random.default_rng(23)


def linear(side: int) -> np.ndarray:
    """A field that is linear in both directions, from corner to corner the same at every side."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    return np.stack([37 + 5 * x, 2 - 3 * y, x + y], axis=-1).reshape(side * side, 3)


@pytest.mark.parametrize(("old", "new"), [(4, 7), (7, 4), (2, 9), (14, 24), (16, 37)])
def test_a_linear_field_stays_that_field(old, new):
    np.testing.assert_allclose(resampled(linear(old), new), linear(new), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("old", "new"), [(4, 7), (7, 4), (1, 5), (5, 1)])
def test_a_constant_field_stays_that_constant(old, new):
    np.testing.assert_allclose(resampled(np.full((old * old, 3), 37.5), new), np.full((new * new, 3), 37.5))


def test_the_same_side_changes_no_bit():
    positions = RNG.normal(size=(25, 6)).astype(np.float32)
    np.testing.assert_array_equal(resampled(positions, 5), positions)


@pytest.mark.parametrize(("old", "new"), [(4, 7), (7, 4), (14, 24)])
def test_resampling_is_the_original_vits(old, new):
    positions = RNG.normal(size=(old * old, 6)).astype(np.float32)
    expected = zoom(positions.reshape(old, old, 6), (new / old, new / old, 1), order=1)
    np.testing.assert_allclose(resampled(positions, new), expected.reshape(new * new, 6), rtol=1e-5, atol=1e-6)


def test_sincos2d_are_waves_of_x_and_of_y_from_one_radian_to_the_temperature():
    found = sincos2d(5, 12).reshape(5, 5, 12)
    for y, x in [(0, 0), (1, 3), (4, 2)]:
        slowed = [1.0, 100.0, 10_000.0]
        waves = [f(place / by) for place in (x, y) for f in (np.sin, np.cos) for by in slowed]
        np.testing.assert_allclose(found[y, x], waves, rtol=1e-6, atol=1e-7)


def test_no_two_patches_have_the_same_sincos2d():
    assert len(np.unique(sincos2d(37, 16), axis=0)) == 37 * 37
