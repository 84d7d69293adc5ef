"""Procedural images: distinct, the same for ever, and classes that can be learned but not read off a pixel."""

import hashlib
from dataclasses import replace

import numpy as np

from scalectl.trainer.data.pictures import in_range
from scalectl.trainer.data.split import load, split
from scalectl.trainer.data.synthetic import Patterns
from scalectl.trainer.evaluate import ridge
from scalectl.trainer.spec import DataSpec

SPEC = DataSpec("synthetic", 300, 37, 5, 0, 16, 3, 10)


def error(features: np.ndarray, labels: np.ndarray) -> float:
    """The share of wrong answers on the last quarter that linear regression on the rest gives."""
    cut = len(labels) * 3 // 4
    x = (features - features[:cut].mean(axis=0)) / (features[:cut].std(axis=0) + 1e-6)
    answers = (x[cut:] @ ridge(x[:cut], 2.0 * np.eye(10)[labels[:cut]] - 1.0, 300.0)).argmax(axis=1)
    return float(np.mean(answers != labels[cut:]))


def test_classes_are_in_the_spectrum_and_in_no_pixel():
    source, rows = Patterns(3, 16, 10, in_turn=False), np.arange(2400)
    pixels, labels = in_range(source.colours(rows)), source.labels(rows)
    spectrum = np.log(np.abs(np.fft.fft2(pixels, axes=(1, 2))) + 1.0)
    assert error(pixels.reshape(2400, -1), labels) > 0.8
    assert 0.01 < error(spectrum.reshape(2400, -1), labels) < 0.35


def test_images_are_distinct_balanced_by_chance_and_of_the_range():
    found = load(replace(SPEC, size=2000))
    pixels, labels = found.pixels[:], found.labels[:]
    assert len({image.tobytes() for image in pixels}) == 2000
    assert np.bincount(labels, minlength=10).min() > 140
    assert pixels.dtype == np.float32 and -1.0 <= pixels.min() < -0.5 and 0.5 < pixels.max() <= 1.0


def test_stratified_images_come_class_by_class():
    labels = load(replace(SPEC, stratified=True)).labels[:]
    assert np.bincount(labels).tolist() == [30] * 10


def test_an_image_depends_on_seed_and_number_alone():
    source = Patterns(3, 16, 10, in_turn=False)
    np.testing.assert_array_equal(source.colours(np.array([7, 10**12, 7]))[[1]], source.colours(np.array([10**12])))
    assert not np.array_equal(source.colours(np.array([7])), replace(source, seed=4).colours(np.array([7])))


# the images behind every synthetic result: if these change, so do all of them
def test_the_images_are_what_they_always_were():
    drawn = Patterns(37, 16, 10, in_turn=False).colours(np.arange(3))
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == "e3783a772ed4cfbb"


def test_subsets_lie_inside_each_other_and_meet_no_held_out_image():
    small, large, apart = (
        {image.tobytes() for image in found.pixels[:]}
        for found in (load(SPEC), load(replace(SPEC, size=500)), split(SPEC).held_out)
    )
    assert (len(small), len(large), len(apart)) == (300, 500, 37)
    assert small < large and not large & apart
