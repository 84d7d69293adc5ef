"""Moments side by side: the same numbers as one by one, and the same checkpoints."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalectl.trainer.grouping import SMALL, grouped, places, resting, training, ungrouped
from scalectl.trainer.optimizer import direction
from scalectl.trainer.step import State

pytestmark = pytest.mark.usefixtures("little_optimised")

SHAPES = {"bias": (32,), "head": (32, 10), "one": (1,), "positions": (16, 48), "wide": (32, 40), "wide too": (32, 40)}
DEEP = {f"block {layer}": {"kernel": (32, 32)} for layer in range(35)}  # more than a matrix has rows


def drawn(seed, shapes):
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: random.normal(size=shape).astype(np.float32), shapes, is_leaf=lambda part: isinstance(part, tuple)
    )


def in_memory(tree):
    return jax.tree.map(np.asarray, tree)


def assert_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shapes", [SHAPES, DEEP])
@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
def test_an_optimizer_makes_of_groups_what_it_makes_of_each_array(optimizer, shapes):
    params, update = drawn(0, shapes), direction(optimizer).update
    state = State(np.int32(0), params, in_memory(direction(optimizer).init(params)))
    moments = training(state).moments
    for seed in (1, 2):
        grads = drawn(seed, shapes)
        each, alone = jax.jit(update)(grads, state.moments, params)
        state = state._replace(moments=in_memory(alone))
        together, moments = jax.jit(update)(grouped(grads, params), moments, grouped(params, params))
        jax.tree.map(close, ungrouped(in_memory(together), params), each)
    jax.tree.map(close, resting(state._replace(moments=in_memory(moments))).moments, state.moments)


def close(found, expected):
    np.testing.assert_allclose(np.float32(found), np.float32(expected), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw", "sgd"])
def test_a_state_at_rest_comes_back_to_the_bit(optimizer):
    params = drawn(0, SHAPES | DEEP)
    moments = in_memory(direction(optimizer).init(params))
    before = State(np.int32(7), params, moments)
    assert len(jax.tree.leaves(training(before))) < len(jax.tree.leaves(before))
    assert_equal(resting(training(before)), before)


def test_a_large_model_is_left_alone():
    params = {"small": jnp.zeros(3), "large": jnp.zeros(SMALL)}
    assert not places(params)
    state = State(np.int32(0), params, direction("adamw").init(params))
    assert_equal(training(state), state)
    assert_equal(resting(state), state)
