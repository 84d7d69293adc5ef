"""The compiled step: what dividing a batch changes, and what it does not."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalectl.trainer.spec import ModelSpec
from scalectl.trainer.step import Shape, gradient
from scalectl.trainer.vit import ViT

pytestmark = pytest.mark.usefixtures("little_optimised")

WHOLE = Shape(ViT(ModelSpec(16, 1, 64, 2, 2), 8, 1, 10, "gap", -2.3, "float32"), 48, "sigmoid", "adafactor", 1)
IMAGES = np.random.default_rng(5).uniform(-1, 1, (48, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(48) % 10
PIECES = [16, 1]


@pytest.fixture(scope="module")
def compiled():
    weights = jax.jit(WHOLE.model.init)(jax.random.key(3), IMAGES[:1])
    weights = jax.tree.map(lambda leaf: leaf + jnp.asarray(0.01, leaf.dtype), weights)
    shapes = [WHOLE, *(replace(WHOLE, microbatch=size) for size in PIECES)]
    ready = [jax.jit(partial(gradient, of)).lower(weights, IMAGES, LABELS).compile() for of in shapes]
    return ready, weights


def test_microbatches_have_the_gradient_of_the_batch(compiled):
    (whole, *others), weights = compiled
    expected = whole(weights, IMAGES, LABELS)
    for other in others:
        found = other(weights, IMAGES, LABELS)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), found, expected)


def test_smaller_microbatches_take_less_memory(compiled):
    memory = [program.memory_analysis().temp_size_in_bytes for program in compiled[0]]
    assert memory == sorted(memory, reverse=True) and memory[-1] < memory[0] / 4
