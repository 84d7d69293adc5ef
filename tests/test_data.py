"""Splits, subsets and batches of real digits: what is seen, when, and never."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import as_seen
from sklearn.datasets import load_digits

from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.split import load, ordered, split
from scalectl.trainer.rng import Purpose, permutation, scattered, words
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec


def trunk(size=100, batch=37, seed=5, shift=0, held_out=360) -> TrunkSpec:
    data = DataSpec("digits", size, held_out, 0, shift, 8, 1, 10)
    recipe = RecipeSpec(batch, "float32", "map", 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 20, 100)
    return TrunkSpec(ModelSpec(16, 2, 64, 2, 2), data, recipe, seed)


def names(pixels: np.ndarray) -> list[bytes]:
    return [image.tobytes() for image in pixels]


def test_the_split_is_all_of_scikit_learns_digits_once():
    found = split(trunk().data)
    together = np.concatenate([found.pool.pixels, found.held_out.pixels])
    genuine = load_digits().images.astype(np.float32)[..., None] / 8 - 1
    assert (len(found.pool), len(found.held_out)) == (1437, 360)
    assert Counter(names(together)) == Counter(names(genuine))
    assert together.min() == -1.0 and together.max() == 1.0


def test_subsets_lie_inside_each_other_and_meet_no_held_out_image():
    small, large = (set(names(load(trunk(size=size).data).pixels)) for size in (100, 1400))
    assert small < large
    assert not large & set(names(split(trunk().data).held_out.pixels))


def test_another_subset_seed_holds_out_other_images():
    one, other = (set(names(split(replace(trunk().data, subset_seed=seed)).held_out.pixels)) for seed in (0, 1))
    assert 20 < len(one & other) < 140  # 72 by chance


def test_an_epoch_shows_every_image_once():
    batches = Batches(trunk(size=111, batch=37))
    seen = names(batches.stacked(3, 3)[0].reshape(-1, 8, 8, 1))
    assert Counter(seen) == Counter(names(load(trunk(size=111).data).pixels))


def test_epochs_and_seeds_have_orders_of_their_own():
    first, second = (names(Batches(trunk(size=37)).stacked(step, 1)[0][0]) for step in (0, 1))
    other = names(Batches(trunk(size=37, seed=6)).stacked(0, 1)[0][0])
    assert Counter(first) == Counter(second) == Counter(other)
    assert first != second and first != other


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([1, 7, 100]), st.sampled_from([0, 2]))
@settings(max_examples=25, deadline=None)
def test_a_batch_depends_on_seed_and_step_alone(step, count, size, shift):
    together = Batches(trunk(size=size, shift=shift)).stacked(step, count)
    alone = Batches(trunk(size=size, shift=shift)).stacked(step + count - 1, 1)
    np.testing.assert_array_equal(together[0][-1], alone[0][0])
    np.testing.assert_array_equal(together[1][-1], alone[1][0])


def test_images_keep_their_labels():
    labels = dict(zip(names(load(trunk().data).pixels), load(trunk().data).labels, strict=True))
    pixels, wanted = Batches(trunk()).stacked(11, 1)
    assert [labels[name] for name in names(pixels[0])] == list(wanted[0])


def test_a_shift_moves_an_image_by_up_to_its_pixels_and_fills_with_nothing():
    still, moved = (Batches(trunk(size=100, shift=shift)).stacked(7, 9)[0].reshape(-1, 8, 8) for shift in (0, 2))
    found = Counter()
    for before, after in zip(still, moved, strict=True):
        padded = np.pad(before, 2, constant_values=-1.0)
        places = [(y, x) for y in range(5) for x in range(5) if np.array_equal(padded[y : y + 8, x : x + 8], after)]
        assert places
        found.update(places)
    assert len(found) == 25


# the streams behind every split and order, as NumPy's Philox draws them: if these change, so do all results
def test_the_streams_are_what_they_always_were():
    assert words(37, Purpose.ORDER, 2, 3).tolist() == [8178545456545654162, 10489231847943265492, 2529561600970371837]
    assert permutation(37, Purpose.SHOTS, 5, 6).tolist() == [2, 0, 3, 1, 4, 5]


def test_streams_of_other_purposes_seeds_and_numbers_differ():
    drawn = {tuple(words(seed, purpose, n, 2)) for seed in (0, 1) for purpose in Purpose for n in (0, 1, 2)}
    assert len(drawn) == 2 * len(Purpose) * 3


def test_an_unknown_source_is_named():
    with pytest.raises(Unreadable, match="no-such-source"):
        split(replace(trunk().data, source="no-such-source"))


@pytest.mark.parametrize(("held_out", "size"), [(37, 5), (360, 100), (361, 1400)])
def test_a_stratified_subset_has_its_share_of_every_class(held_out, size):
    data = replace(trunk(size=size, held_out=held_out).data, stratified=True)
    whole = np.bincount(load_digits().target)
    for count, found in ((held_out, split(data).held_out), (size, load(data))):
        assert np.abs(np.bincount(found.labels, minlength=10) - whole * count / 1797).max() < 1.2


@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_equal_classes_differ_by_one_image_in_every_stretch(classes, each, seed):
    labels = np.arange(classes * each) % classes
    order = ordered(labels, seed, stratified=True)
    assert np.array_equal(np.sort(order), np.arange(len(labels)))
    for start in range(0, len(labels), 7):
        for stop in range(start + 1, len(labels) + 1, 5):
            counts = np.bincount(labels[order[start:stop]], minlength=classes)
            assert counts.max() - counts.min() <= 1


def test_stratified_subsets_nest_and_meet_no_held_out_image():
    small, large = (replace(trunk(size=size).data, stratified=True) for size in (100, 1400))
    assert set(names(load(small).pixels)) < set(names(load(large).pixels))
    assert not set(names(load(large).pixels)) & set(names(split(large).held_out.pixels))


@given(st.integers(1, 70_000), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_scattered_order_is_a_permutation(count, seed):
    order = scattered(seed, Purpose.ORDER, 3, count, np.arange(count))
    assert np.array_equal(np.sort(order), np.arange(count))


def test_scattered_orders_look_like_chance():
    order = scattered(5, Purpose.ORDER, 0, 10_007, np.arange(10_007))
    assert abs(np.corrcoef(order, np.arange(10_007))[0, 1]) < 0.03
    assert np.bincount(order[:1000] * 10 // 10_007).tolist() == pytest.approx([100] * 10, abs=35)
    assert np.count_nonzero(order == scattered(5, Purpose.ORDER, 1, 10_007, np.arange(10_007))) < 8


def test_a_subset_too_large_to_hold_is_seen_once_an_epoch():
    endless = replace(trunk().data, source="synthetic", size=3 * 10**9, image_size=8, channels=3)
    batches = Batches(replace(trunk(batch=1000), data=endless))
    seen = names(as_seen(batches.stacked(2_999_999, 2)[0]).reshape(-1, 8, 8, 3))
    assert len(set(seen)) == 2000
