"""Crops, flips and shifts: what can be seen of an image, and that seed and step alone decide it."""

import io
from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import as_seen
from PIL import Image
from test_data import trunk

from scalectl.trainer.data.augment import Part, box, crop_draws, moved
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.colours import Colours
from scalectl.trainer.data.pictures import Picture, crop, in_range, middle, opened
from scalectl.trainer.data.split import load
from scalectl.trainer.spec import DataSpec, TrunkSpec
from scalectl.trainer.views import seen

WHOLE = Part(40, slice(None))
SYNTHETIC = DataSpec("synthetic", 40, 37, 5, 0, 16, 3, 10)
EVERY = Colours(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1))
MIRRORED = replace(SYNTHETIC, flip=True)


def pictures(**changes) -> TrunkSpec:
    return replace(trunk(batch=32), data=replace(SYNTHETIC, **changes))


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 10**6))
@settings(deadline=None)
def test_a_crop_lies_inside_its_picture(width, height, seed):
    left, top, right, bottom = box(width, height, crop_draws(seed, 0, 1)[0])
    assert 0 <= left < right <= width and 0 <= top < bottom <= height


def test_crops_have_areas_aspects_and_places_in_their_bounds_and_show_as_much_as_the_docs_say():
    found = np.array([box(500, 375, one) for one in crop_draws(3, 7, 5000)])
    width, height = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    area, aspect = width * height / (500 * 375), width / height
    assert 0.048 < area.min() < 0.06 and 0.95 < area.max() <= 1.0
    assert area.mean() == pytest.approx(0.42, abs=0.01) and (area < 0.25).mean() == pytest.approx(0.28, abs=0.02)
    assert 0.74 < aspect.min() < 0.76 and 1.32 < aspect.max() < 1.35
    assert np.median(np.log(aspect[area < 0.4])) == pytest.approx(0.0, abs=0.03)  # the largest fit as wide ones only
    assert ((found[:, 0] + found[:, 2]) / 2).mean() == pytest.approx(250, abs=5)


def test_a_picture_too_long_for_any_crop_shows_its_middle():
    assert box(1000, 10, crop_draws(0, 0, 1)[0] * 0 + 0.99) == (493, 0, 506, 10)


def test_a_crop_is_the_bilinear_resize_of_its_part():
    pixels = np.add.outer(np.arange(40), 3 * np.arange(60))[..., None].repeat(3, axis=2).astype(np.uint8)
    found = crop(Picture(Image.fromarray(pixels)), (20, 8, 36, 24), 16)
    np.testing.assert_array_equal(found, pixels[8:24, 20:36])
    halved = crop(Picture(Image.fromarray(pixels)), (16, 4, 48, 36), 16).astype(float)
    np.testing.assert_allclose(halved[4:-4, 4:-4], (pixels[4:36:2, 16:48:2] + 2.0)[4:-4, 4:-4], atol=1.0)


def test_a_jpeg_decoded_in_less_detail_shows_the_same_part():
    pixels = (127 + 120 * np.sin(np.add.outer(np.arange(768) / 70, np.arange(1024) / 50))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=95)
    part = (100, 50, 800, 700)
    quick = crop(opened(file.getvalue()), part, 64).astype(float)
    whole = np.asarray(Image.open(file).resize((64, 64), Image.Resampling.BILINEAR, box=part), float)
    assert np.abs(quick - whole).mean() < 2.0


def test_evaluation_cuts_224_out_of_256():
    rows = np.arange(512)[:, None].repeat(512, axis=1)
    found = middle(Picture(Image.fromarray((rows // 2).astype(np.uint8)).convert("RGB")), 224, 256)
    assert found.shape == (224, 224, 3) and (found[0, 0, 0], found[-1, 0, 0]) == (16, 239)


@pytest.mark.parametrize(("short", "side"), [(450, 224), (246, 224), (225, 224), (123, 224), (29, 224), (257, 96)])
def test_a_picture_of_any_size_has_a_middle(short, side):
    """A side that rounding put below 0 by 1e-14 was refused by Pillow, and the picture called damaged."""
    across, down = (
        middle(Picture(Image.new("RGB", size)), side, side) for size in ((short + 3, short), (short, short + 3))
    )
    assert across.shape == down.shape == (side, side, 3)


def test_values_are_from_minus_one_to_one():
    assert in_range(np.array([0, 255], np.uint8)).tolist() == [-1.0, 1.0]


def test_half_of_the_images_are_mirrored_anew_each_step():
    images = load(SYNTHETIC).pixels[:]
    first, second = (
        [
            np.array_equal(after, before[:, ::-1])
            for before, after in zip(images, moved(images, MIRRORED, 3, step, WHOLE), strict=True)
        ]
        for step in (0, 1)
    )
    assert 10 < sum(first) < 30 and first != second
    still = [np.array_equal(*pair) for pair in zip(images, moved(images, MIRRORED, 3, 0, WHOLE), strict=True)]
    assert still == [not mirrored for mirrored in first]


def test_crops_show_other_parts_of_an_image_at_each_step():
    whole, part = (Batches(pictures(crop=crop)).stacked(0, 1) for crop in (False, True))
    assert as_seen(whole[0]).shape == as_seen(part[0]).shape
    np.testing.assert_array_equal(whole[1], part[1])
    again = as_seen(Batches(pictures(crop=True, size=1)).stacked(0, 2)[0])
    assert len({one.tobytes() for one in again.reshape(64, -1)}) > 55


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([{"crop": True}, {"flip": True, "shift": 2}]))
@settings(max_examples=10, deadline=None)
def test_a_batch_depends_on_seed_and_step_alone(step, count, how):
    together = Batches(pictures(**how)).stacked(step, count)
    alone = Batches(pictures(**how)).stacked(step + count - 1, 1)
    np.testing.assert_array_equal(as_seen(together[0])[-1], as_seen(alone[0])[0])
    np.testing.assert_array_equal(together[1][-1], alone[1][0])
    other = Batches(replace(pictures(**how), seed=6)).stacked(step, 1)
    assert not np.array_equal(as_seen(other[0])[0], as_seen(Batches(pictures(**how)).stacked(step, 1)[0])[0])


@pytest.mark.parametrize("how", [{}, {"flip": True}, {"shift": 2}, {"flip": True, "shift": 3}])
def test_a_step_sees_the_bits_that_the_host_would_give_it(how):
    trunk = pictures(**how)
    rows = Batches(trunk)._rows(5 * 32)
    expected = moved(load(trunk.data).pixels[rows], trunk.data, trunk.seed, 5, Part(32, slice(None)))
    images, _ = Batches(trunk).batch(5)
    assert images.pixels.dtype == np.uint8
    np.testing.assert_array_equal(as_seen(images), expected)
    assert in_range(np.arange(256, dtype=np.uint8)).tobytes() == as_seen(EVERY).tobytes()


@pytest.mark.parametrize(("platform", "way"), [("cpu", "gather"), ("cuda", "gather"), ("tpu", "divide")])
def test_bytes_become_numbers_by_a_table_and_on_a_tpu_by_arithmetic(platform, way):
    images = Colours(jax.ShapeDtypeStruct((4, 24, 24, 3), "uint8"))
    text = jax.jit(seen, static_argnums=1).trace(images, 24).lower(lowering_platforms=(platform,)).as_text()
    assert [name for name in ("gather", "divide") if f"stablehlo.{name}" in text] == [way]


def test_a_crop_on_the_device_is_that_of_pillow():
    pixels = np.random.default_rng(5).integers(0, 256, (3, 40, 40, 3), np.uint8)
    boxes = np.array([(3.5, 2.25, 30.75, 38.0), (0, 0, 40, 40), (10, 11, 19.5, 18.25)], np.float32)
    found = as_seen(Colours(pixels, boxes), 16)
    whole = [
        Image.fromarray(one).resize((16, 16), Image.Resampling.BILINEAR, box=tuple(map(float, box)))
        for one, box in zip(pixels, boxes, strict=True)
    ]
    assert np.abs(found - in_range(np.stack(whole))).max() * 127.5 < 1.01  # Pillow rounds after each direction
