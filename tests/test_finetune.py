"""Fine-tuning: what it begins from, which rate it takes, that it learns, and that it ends when asked to."""

import threading
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from test_train import TRUNK, job, readings, told

from scalectl.trainer.evalset import Interrupted, evalsets, scaled
from scalectl.trainer.finetune import Finetuning, enlarged, finetune, ranked, rates, transferred
from scalectl.trainer.optimizer import schedule
from scalectl.trainer.positions import resampled
from scalectl.trainer.presets import preset
from scalectl.trainer.rng import Purpose, endless
from scalectl.trainer.sharding import Layout
from scalectl.trainer.spec import DataSpec, EvalSpec, FinetuneSpec, ModelSpec, RunSpec
from scalectl.trainer.step import losses
from scalectl.trainer.train import train
from scalectl.trainer.vit import ViT

VIT = ViT(ModelSpec(16, 1, 64, 2, 2), 8, 1, 10, "map", -2.3, "float32")
SPEC = FinetuneSpec("digits", 60, 64, (0.03, 0.01), 3, 8)
THREE = Layout(tuple(jax.devices() * 3))
POOL, HELD_OUT = evalsets(DataSpec("digits", 100, 360, 0, 0, 8, 1, 10), 8, 1)


@cache
def weights():
    return jax.jit(VIT.init)(jax.random.key(3), POOL[:1])


def tuned(spec, stopping=None):
    return finetune(VIT, weights(), POOL, HELD_OUT, spec, stopping or threading.Event())


@pytest.mark.parametrize("side", [8, 12])
def test_it_begins_with_a_head_of_zeros_on_features_as_they_were(side):
    larger = enlarged(VIT, side, 37)
    images = scaled(HELD_OUT[:5], side)
    begun = transferred(weights(), larger)
    logits, features = jax.jit(larger.apply)(begun, images)
    np.testing.assert_allclose(losses(logits, HELD_OUT.labels[:5], "softmax"), np.log(37), rtol=1e-6)
    before = weights()["params"]["positions"]
    np.testing.assert_array_equal(begun["params"]["positions"], resampled(np.asarray(before), side // 2))
    if side == 8:
        np.testing.assert_allclose(features, jax.jit(VIT.apply)(weights(), images)[1], rtol=1e-5)


def shapes(vit):
    image = jax.ShapeDtypeStruct((1, vit.image_size, vit.image_size, 3), np.float32)
    return jax.eval_shape(vit.init, jax.random.key(0), image)


def test_b16_goes_from_224_to_384_with_positions_bilinear_between_those_there_are():
    vit = ViT(preset("B", 16), 224, 3, 29_593, "map", -10.0, "float32")
    weights = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes(vit))
    before = np.random.default_rng(3).normal(size=(14, 14, 768)).astype(np.float32)
    weights["params"]["positions"] = before.reshape(196, 768)
    larger = enlarged(vit, 384, 1000)
    begun = transferred(weights, larger)
    assert jax.tree.map(np.shape, begun) == jax.tree.map(np.shape, shapes(larger))
    corner_on_corner = np.stack(np.mgrid[:24, :24], axis=-1) * 13 / 23
    between = RegularGridInterpolator((np.arange(14), np.arange(14)), before)(corner_on_corner)
    np.testing.assert_allclose(begun["params"]["positions"].reshape(24, 24, 768), between, atol=1e-5)


def test_an_image_of_one_colour_is_one_at_any_resolution():
    flat = np.full((3, 8, 8, 1), 0.37, np.float32)
    np.testing.assert_allclose(scaled(flat, 12), np.full((3, 12, 12, 1), 0.37), rtol=1e-6)


def test_the_rate_warms_up_and_follows_half_a_cosine():
    at = rates(replace(SPEC, steps=20_000, warmup=500), 0.03)
    found = [float(schedule(step, at)) for step in (249, 500, 10_250, 19_999)]
    assert found == pytest.approx([0.5, 1.0, 0.5, 0.0], abs=1e-4)
    assert (float(at.clip_norm), at.weight_decay_head, at.weight_decay_body) == (1.0, 0.0, 0.0)


def test_a_flat_rate_stays_where_it_warmed_up_to():
    at = rates(replace(SPEC, steps=20_000, warmup=500, schedule="flat"), 0.03)
    assert [float(schedule(step, at)) for step in (249, 500, 10_250, 19_999)] == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("readings", "rate"),
    [
        ({0.03: (0.2, 1.0), 0.01: (0.1, 2.0)}, 0.01),
        ({0.03: (0.1, 2.0), 0.01: (0.1, 1.0)}, 0.01),
        ({0.03: (0.0, float("nan")), 0.01: (0.9, 7.0)}, 0.01),
        ({0.03: (0.0, float("inf")), 0.01: (0.9, 7.0)}, 0.01),
    ],
)
def test_the_best_rate_has_the_least_error_then_the_least_loss_and_is_finite(readings, rate):
    assert ranked(readings)[0] == rate


def test_epochs_are_permutations_and_no_two_are_alike():
    rows = endless(5, Purpose.FINETUNE, np.arange(3 * 37), 37).reshape(3, 37)
    assert all(sorted(row) == list(range(37)) for row in rows.tolist())
    assert len({tuple(row) for row in rows.tolist()}) == 3


@pytest.mark.slow
def test_fine_tuning_learns_the_same_each_time():
    longer = replace(SPEC, steps=300, lrs=(0.1, 0.01))
    errors = [tuned(longer).error for _ in range(2)]
    assert errors[0] == errors[1] < 0.25  # 0.9 by chance


@pytest.mark.slow
def test_a_trunk_trained_at_8_pixels_is_tuned_at_16(tmp_path):
    """An error of 0.9 is chance."""
    recipe = replace(TRUNK.recipe, batch_size=64)
    trunk = replace(TRUNK, model=VIT.model, data=replace(TRUNK.data, size=1000), recipe=recipe)
    evals = EvalSpec((), (), FinetuneSpec("digits", 120, 64, (0.03,), 5, 16))
    found = readings(told(job(tmp_path, trunk=trunk, run=RunSpec(trunk, 240, 0), stop=240, evals=evals)))
    assert found["finetune/digits/error"] < 0.5


def test_a_rate_that_is_too_high_is_not_taken():
    assert tuned(replace(SPEC, lrs=(1e38, 0.03))).error == tuned(replace(SPEC, lrs=(0.03,))).error


def test_where_every_rate_is_too_high_the_error_is_no_number():
    assert np.isnan(tuned(replace(SPEC, lrs=(1e38,))).error)


def test_what_it_compiles_is_counted_once_and_its_time_too(monkeypatch):
    monkeypatch.setattr("scalectl.trainer.kept._kept", {})
    found, again = tuned(replace(SPEC, steps=2)), tuned(replace(SPEC, steps=2))
    assert (found.compilations, again.compilations) == (2, 0)  # its step and its reading, for both rates
    assert found.compile_seconds > 0.1 and again.compile_seconds == 0.0


class AfterLooks(threading.Event):
    """A wish to stop that comes true once it was looked at so many times."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def is_set(self):
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("looks", [0, 1, 5])
def test_it_ends_at_the_next_dispatch_when_asked_to(looks):
    asked = AfterLooks(looks)
    with pytest.raises(Interrupted):
        tuned(replace(SPEC, steps=10**6), asked)
    assert asked.looks == -1


@pytest.mark.slow
def test_the_average_of_weights_is_that_of_the_recursion_step_by_step():
    """The same training step by step in a loop of its own, its weights averaged in NumPy."""
    spec = replace(SPEC, steps=7, lrs=(0.1,), schedule="flat", ema=0.8)
    larger = enlarged(VIT, 8, 10)
    tuning = Finetuning(larger, transferred(weights(), larger), spec, threading.Event())
    average = jax.tree.map(np.float64, tuning.params)
    for steps in range(1, spec.steps + 1):
        plain = Finetuning(larger, tuning.params, replace(spec, steps=steps, ema=0.0), threading.Event())
        after = plain.tuned(POOL, 0.1)
        average = jax.tree.map(lambda old, new: 0.8 * old + 0.2 * np.asarray(new, np.float64), average, after)
    jax.tree.map(
        lambda found, expected: np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6),
        tuning.tuned(POOL, 0.1),
        average,
    )


def test_devices_that_cannot_share_its_batch_are_told_before_anything_is_trained(tmp_path):
    trunk = replace(TRUNK, recipe=replace(TRUNK.recipe, batch_size=15))
    evals = EvalSpec(("error",), (), replace(SPEC, batch_size=16))
    events = train(job(tmp_path, trunk=trunk, run=RunSpec(trunk, 2, 1), stop=2, evals=evals), layout=THREE)
    with pytest.raises(
        ValueError, match=r"evals\.finetune\.batch_size: 16 images can't be shared by 3 devices: give a"
    ):
        next(events)
