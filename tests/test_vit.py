"""The model against formulas and other implementations of its parts."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalectl.trainer.products import attend, product
from scalectl.trainer.spec import ModelSpec
from scalectl.trainer.step import losses
from scalectl.trainer.vit import ViT, join_heads, patches, split_heads

pytestmark = pytest.mark.usefixtures("little_optimised")

MODEL = ModelSpec(width=24, depth=2, mlp_dim=50, num_heads=3, patch_size=2)
IMAGES = np.random.default_rng(5).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)


@cache
def built(head="map", dtype="float32", bias=0.0, classes=10, layers="loop", remat="none"):
    vit = ViT(MODEL, 8, 1, classes, head, bias, dtype, "learned", layers, remat)
    return vit, jax.jit(vit.init)(jax.random.key(3), IMAGES)


def disturbed(weights):
    """Weights with no zeros among them, so that nothing hides behind the head's kernel."""
    rng = np.random.default_rng(11)
    return jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32), weights)


def test_patches_are_the_squares_of_the_image_from_left_to_right_and_top_to_bottom():
    image = np.arange(6 * 7 * 2).reshape(1, 6, 7, 2)
    found = patches(jnp.asarray(image), 3)
    squares = [image[0, y : y + 3, x : x + 3] for y in (0, 3) for x in (0, 3)]
    np.testing.assert_array_equal(found, [square.reshape(-1) for square in squares])


def test_attention_is_that_of_jax():
    q, k, v = np.random.default_rng(7).normal(size=(3, 2, 5, 4, 6)).astype(np.float32)  # batch, tokens, heads, width
    rows = np.stack([q, k, v], axis=2).reshape(2 * 5, -1)
    found = join_heads(attend(*split_heads(jnp.asarray(rows), 2, 3, 4)), 4)
    expected = jax.nn.dot_product_attention(q, k, v)
    np.testing.assert_allclose(found, expected.reshape(10, -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_of_products_are_those_that_jax_derives(dtype):
    def ours(rows, kernel, q, k, v):
        return (jnp.square(product(rows, kernel)).sum() + jnp.sin(attend(q, k, v)).sum()).astype(jnp.float32)

    def derived(rows, kernel, q, k, v):
        heads = (each[:, :, None] for each in (q, k, v))
        return (jnp.square(rows @ kernel).sum() + jnp.sin(jax.nn.dot_product_attention(*heads)).sum()).astype(
            jnp.float32
        )

    rng = np.random.default_rng(7)
    shapes = [(12, 6), (6, 5), (4, 1, 8), (4, 7, 8), (4, 7, 8)]  # as many queries as pooling has
    arrays = [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    found, expected = (jax.jit(jax.grad(terms, argnums=range(5)))(*arrays) for terms in (ours, derived))
    rounding = 1e-5 if dtype == "float32" else 3e-2
    for one, two in zip(found, expected, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(*(np.asarray(x, np.float32) for x in (one, two)), rtol=rounding, atol=rounding)


@pytest.mark.parametrize("head", ["map", "gap", "tok"])
def test_an_image_is_read_alike_in_any_company(head):
    vit, weights = built(head)
    apply = jax.jit(vit.apply)
    together, alone = apply(weights, IMAGES)[1], apply(weights, IMAGES[2:3])[1]
    np.testing.assert_allclose(together[2:3], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", ["map", "gap", "tok"])
def test_every_parameter_has_a_part_in_the_answer(head):
    vit, weights = built(head)
    grads = jax.jit(jax.grad(lambda w: losses(vit.apply(w, IMAGES)[0], jnp.arange(4), "sigmoid").sum()))(
        disturbed(weights)
    )
    assert all(float(jnp.abs(leaf).max()) > 1e-5 for leaf in jax.tree.leaves(grads))


def gradient(vit):
    return jax.jit(jax.grad(lambda weights, images: vit.apply(weights, images)[0].sum()))


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "remat"), [("scan", "none"), ("loop", "full"), ("scan", "full")])
def test_scan_and_rematerialisation_change_the_order_of_rounding_alone(layers, remat):
    (plain, weights), (other, same) = built(), built(layers=layers, remat=remat)
    jax.tree.map(np.testing.assert_array_equal, weights, same)
    found, expected = (gradient(vit)(disturbed(weights), IMAGES) for vit in (other, plain))
    jax.tree.map(lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4), found, expected)


@pytest.mark.slow
def test_a_scan_with_rematerialisation_keeps_few_activations():
    deep, images = ModelSpec(16, 12, 64, 2, 2), jax.ShapeDtypeStruct((64, 16, 16, 1), jnp.float32)

    def memory(layers, remat):
        vit = ViT(deep, 16, 1, 10, "gap", 0.0, "float32", "learned", layers, remat)
        weights = jax.eval_shape(vit.init, jax.random.key(0), images)
        return gradient(vit).lower(weights, images).compile().memory_analysis().temp_size_in_bytes

    assert memory("scan", "full") < memory("loop", "none") / 3


# the loss before the first step for one positive class: section 2 of the paper's facts, computed from its recipe
@pytest.mark.parametrize(
    ("classes", "bias", "loss"), [(29_593, -10.0, 11.3435), (21_843, -10.0, 10.9916), (1000, -6.9, 7.9073)]
)
def test_the_first_loss_is_that_of_the_head_bias(classes, bias, loss):
    vit, weights = built("gap", bias=bias, classes=classes)  # a head is begun alike after any pooling
    logits, _ = jax.jit(vit.apply)(weights, IMAGES)
    found = losses(logits, jnp.arange(4), "sigmoid")
    np.testing.assert_allclose(found, loss, rtol=2e-5)


def test_softmax_of_equal_logits_is_the_logarithm_of_the_classes():
    np.testing.assert_allclose(losses(jnp.full((3, 37), 5.0), jnp.arange(3), "softmax"), np.log(37), rtol=1e-6)


def test_bfloat16_computes_what_float32_does_but_coarsely():
    exact, coarse = (built(dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(coarse[1])} == {jnp.dtype("float32")}
    one, other = (jax.jit(vit.apply)(weights, IMAGES)[1] for vit, weights in (exact, coarse))
    assert other.dtype == jnp.float32
    np.testing.assert_allclose(one, other, atol=0.15)
    assert float(jnp.abs(one - other).max()) > 1e-5
