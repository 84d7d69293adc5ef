"""Counts held to Table 2 of the paper, to the parameters of the model and to XLA's own cost analysis."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalectl.trainer.flops import (
    body_params,
    flops_per_image,
    params,
    steps_for_flops,
    steps_for_images,
    training_flops,
)
from scalectl.trainer.presets import preset
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.vit import ViT

# arXiv 2106.04560, Table 2: name, patch, parameters in millions, GFLOPs at 224 and at 384 pixels, all as printed
TABLE_2 = [
    ("s", 28, "5.4", "0.7", "2.0"),
    ("s", 16, "5.0", "2.2", "7.8"),
    ("S", 32, "22", "2.3", "6.9"),
    ("Ti", 16, "5.5", "2.5", "9.5"),
    ("B", 32, "87", "8.7", "26.0"),
    ("S", 16, "22", "9.2", "31.2"),
    ("B", 28, "87", "11.3", "30.5"),
    ("B", 16, "86", "35.1", "111.3"),
    ("L", 16, "303", "122.9", "382.8"),
    ("g", 14, "1011", "533.1", "1596.4"),
    ("G", 14, "1843", "965.3", "2859.9"),
]
IMAGES = {"channels": 3, "num_classes": 29_593}  # the classes of JFT


def printed(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize(("name", "patch", "millions", "at_224", "at_384"), TABLE_2)
def test_counts_are_those_of_table_2(name, patch, millions, at_224, at_384):
    model = preset(name, patch)
    assert printed(body_params(model, image_size=224, channels=3) / 1e6, millions) == millions
    for size, gigas in ((224, at_224), (384, at_384)):
        assert printed(flops_per_image(model, head="gap", image_size=size, **IMAGES) / 1e9, gigas) == gigas


SHAPES = [
    (ModelSpec(16, 2, 64, 2, 2), 8, 1, 10),
    (ModelSpec(20, 3, 37, 4, 3), 10, 3, 2),  # a patch that leaves a rim
    (ModelSpec(48, 1, 200, 3, 4), 16, 3, 37),
    (ModelSpec(37, 1, 16, 1, 8), 8, 1, 5),  # a single token
]


@pytest.mark.parametrize("positions", ["learned", "sincos2d"])
@pytest.mark.parametrize(("head", "pre_logits"), [("map", "none"), ("gap", "none"), ("tok", "none"), ("tok", "tanh")])
@pytest.mark.parametrize(("model", "size", "channels", "classes"), SHAPES)
def test_counts_are_those_of_the_model_and_of_xla(model, size, channels, classes, head, pre_logits, positions):
    if positions == "sincos2d":
        model = replace(model, width=-(-model.width // 12) * 12)
    vit = ViT(model, size, channels, classes, head, 0.0, "float32", positions, pre_logits=pre_logits)
    images = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    weights = jax.eval_shape(vit.init, jax.random.key(0), images)
    shape = {"head": head, "pre_logits": pre_logits, "image_size": size, "channels": channels, "num_classes": classes}
    assert params(model, **shape, positions=positions) == sum(leaf.size for leaf in jax.tree.leaves(weights))
    cost = jax.jit(lambda *arguments: vit.apply(*arguments)[0]).lower(weights, images).cost_analysis()
    assert flops_per_image(model, **shape) == cost["flops"]


TRUNK = TrunkSpec(
    ModelSpec(16, 2, 64, 2, 2),
    DataSpec("digits", 100, 360, 0, 1, 8, 1, 10),
    RecipeSpec(37, "float32", "map", 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 20, 100),
    seed=0,
)


def test_training_is_three_forward_passes_of_every_image():
    forward = flops_per_image(TRUNK.model, head="map", image_size=8, channels=1, num_classes=10)
    assert training_flops(TRUNK, 11) == 3 * forward * 37 * 11


@given(st.integers(1, 10**19))
def test_flops_buy_the_most_steps_that_they_pay_for(budget):
    steps = steps_for_flops(TRUNK, budget)
    assert training_flops(TRUNK, steps) <= budget < training_flops(TRUNK, steps + 1)


def test_images_buy_whole_steps():
    assert [steps_for_images(TRUNK, images) for images in (36, 37, 73, 74)] == [0, 1, 1, 2]
