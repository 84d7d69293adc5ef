"""Fine-tuning: what it begins from, which rate it takes, and that it learns."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from trainer.data import split
from trainer.draws import Purpose, endless
from trainer.finetune import best, enlarged, finetune, rates, resized, transferred
from trainer.optimizer import schedule
from trainer.positions import resampled
from trainer.spec import DataSpec, FinetuneSpec, ModelSpec
from trainer.step import losses
from trainer.vit import ViT

VIT = ViT(ModelSpec(16, 1, 64, 2, 2), 8, 1, 10, "map", -2.3, "float32")
SPEC = FinetuneSpec("digits", 60, 64, (0.03, 0.01), 3, 8)
DIGITS = split(DataSpec("digits", 100, 360, 0, 0, 8, 1, 10))


@cache
def weights():
    return jax.jit(VIT.init)(jax.random.key(3), DIGITS.pool.pixels[:1])


@pytest.mark.parametrize("side", [8, 12])
def test_it_begins_with_a_head_of_zeros_on_features_as_they_were(side):
    larger = enlarged(VIT, side, 37)
    images = resized(DIGITS.held_out, side)
    begun = transferred(weights(), larger)
    logits, features = jax.jit(larger.apply)(begun, images.pixels[:5])
    np.testing.assert_allclose(losses(logits, images.labels[:5], "softmax"), np.log(37), rtol=1e-6)
    before = weights()["params"]["positions"]
    np.testing.assert_array_equal(begun["params"]["positions"], resampled(np.asarray(before), side // 2))
    if side == 8:
        np.testing.assert_allclose(features, jax.jit(VIT.apply)(weights(), images.pixels[:5])[1], rtol=1e-5)


def test_an_image_of_one_colour_is_one_at_any_resolution():
    flat = replace(DIGITS.held_out, pixels=np.full((3, 8, 8, 1), 0.37, np.float32))
    np.testing.assert_allclose(resized(flat, 12).pixels, np.full((3, 12, 12, 1), 0.37), rtol=1e-6)


def test_the_rate_warms_up_and_follows_half_a_cosine():
    at = rates(replace(SPEC, steps=20_000, warmup=500), 0.03)
    found = [float(schedule(step, at)) for step in (249, 500, 10_250, 19_999)]
    assert found == pytest.approx([0.5, 1.0, 0.5, 0.0], abs=1e-4)
    assert (float(at.clip_norm), at.weight_decay_head, at.weight_decay_body) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("readings", "rate"),
    [
        ({0.03: (0.2, 1.0), 0.01: (0.1, 2.0)}, 0.01),
        ({0.03: (0.1, 2.0), 0.01: (0.1, 1.0)}, 0.01),
        ({0.03: (0.0, float("nan")), 0.01: (0.9, 7.0)}, 0.01),
    ],
)
def test_the_best_rate_has_the_least_error_then_the_least_loss_and_is_finite(readings, rate):
    assert best(readings) == rate


def test_epochs_are_permutations_and_no_two_are_alike():
    rows = endless(5, Purpose.FINETUNE, np.arange(3 * 37), 37).reshape(3, 37)
    assert all(sorted(row) == list(range(37)) for row in rows.tolist())
    assert len({tuple(row) for row in rows.tolist()}) == 3


def test_fine_tuning_learns_the_same_each_time():
    longer = replace(SPEC, steps=300, lrs=(0.1, 0.01))
    errors = [finetune(VIT, weights(), DIGITS.pool, DIGITS.held_out, longer) for _ in range(2)]
    assert errors[0] == errors[1] < 0.25  # 0.9 by chance


def test_a_rate_that_is_too_high_is_not_taken():
    tried = replace(SPEC, lrs=(1e38, 0.03))
    alone = replace(SPEC, lrs=(0.03,))
    errors = [finetune(VIT, weights(), DIGITS.pool, DIGITS.held_out, spec) for spec in (tried, alone)]
    assert errors[0] == errors[1]


def test_where_every_rate_is_too_high_the_error_is_no_number():
    assert np.isnan(finetune(VIT, weights(), DIGITS.pool, DIGITS.held_out, replace(SPEC, lrs=(1e38,))))
