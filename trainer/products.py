"""The matrix products of a ViT, with gradients that a CPU computes as fast as it does the products themselves.

XLA hands a product to the fast kernels of its CPU library where rows meet columns as they lie in memory. The gradients
that JAX derives contract the first dimensions of both operands, or the last ones, and leave that path. On a CPU one of
the two is therefore transposed in memory first: docs/performance.md has what that gains. Other devices choose their own
layouts.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import optimization_barrier, platform_dependent

# B images, N tokens of an image, T = B x N tokens of a batch, D and F features, H heads, K width of a head, Q queries
Array = jax.Array


@jax.custom_vjp
def product(x_TD: Array, kernel_DF: Array) -> Array:
    """The rows of `x_TD` through a kernel (T, F)."""
    return x_TD @ kernel_DF


def _product(x_TD: Array, kernel_DF: Array) -> tuple[Array, Any]:
    return product(x_TD, kernel_DF), (x_TD, kernel_DF)


def _product_gradients(kept: Any, by_TF: Array) -> tuple[Array, Array]:
    x_TD, kernel_DF = kept
    return jnp.einsum("tf,df->td", by_TF, kernel_DF), transposed_times(x_TD, by_TF)


product.defvjp(_product, _product_gradients)


def projected(x_TD: Array, kernel_DF: Array, *_: Any, **__: Any) -> Array:
    """`product` in the place of the `dot_general` of a Flax layer."""
    return product(x_TD, kernel_DF)


@jax.custom_vjp
def attend(q: Array, k: Array, v: Array) -> Array:
    """Softmax attention of queries (B x H, Q, K) on keys and values (B x H, N, K), weights in float32."""
    return _attend(q, k, v)[0]


def _attend(q: Array, k: Array, v: Array) -> tuple[Array, Any]:
    q = q * q.shape[-1] ** -0.5
    weights = jax.nn.softmax(jnp.einsum("xqk,xnk->xqn", q, k).astype(jnp.float32))
    return jnp.einsum("xqn,xnk->xqk", weights.astype(v.dtype), v), (q, k, v, weights)


def _attend_gradients(kept: Any, by: Array) -> tuple[Array, Array, Array]:
    q, k, v, weights = kept
    by_weights = times_transposed(by, v).astype(jnp.float32)
    by_scores = weights * (by_weights - (weights * by_weights).sum(axis=-1, keepdims=True))
    by_scores = by_scores.astype(v.dtype)
    by_q = jnp.einsum("xqn,xnk->xqk", by_scores, k) * q.shape[-1] ** -0.5
    by_k = transposed_times(by_scores, q)
    return by_q, by_k, transposed_times(weights.astype(v.dtype), by)


attend.defvjp(_attend, _attend_gradients)


@jax.custom_vjp
def unstacked(x: Array) -> tuple[Array, ...]:
    """The parts of an array along its first dimension."""
    return tuple(x)


def _unstacked(x: Array) -> tuple[tuple[Array, ...], None]:
    return tuple(x), None


def _stacked(_: None, parts: tuple[Array, ...]) -> tuple[Array]:
    # else a CPU asks for each number which part it is of, as it brings the whole into another order
    whole = jnp.stack(parts)
    return (platform_dependent(whole, cpu=optimization_barrier, default=lambda x: x),)


unstacked.defvjp(_unstacked, _stacked)


def transposed_times(left: Array, right: Array) -> Array:
    """`left` transposed times `right`, of two matrices or of two stacks of them."""

    def on_cpu(left: Array, right: Array) -> Array:
        return optimization_barrier(left.swapaxes(-1, -2)) @ right

    result: Array = platform_dependent(left, right, cpu=on_cpu, default=partial(jnp.einsum, "...ni,...nj->...ij"))
    return result


def times_transposed(left: Array, right: Array) -> Array:
    """`left` times `right` transposed, of two matrices or of two stacks of them."""

    def on_cpu(left: Array, right: Array) -> Array:
        return left @ optimization_barrier(right.swapaxes(-1, -2))

    result: Array = platform_dependent(left, right, cpu=on_cpu, default=partial(jnp.einsum, "...in,...jn->...ij"))
    return result
