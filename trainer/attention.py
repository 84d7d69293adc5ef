"""Attention of all tokens of an image on each other, by the implementation that suits device, type and shape.

`auto` is cuDNN's kernel on a GPU of NVIDIA where JAX has it for the type and shape: half precision, and heads of up to
128 features, on newer GPUs 256, in multiples of 8. It keeps no weights of tokens on tokens. Anywhere else `auto` is
`own`, the products of `trainer.products`.
"""

from functools import cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from scalectl.trainer.products import attend, unstacked

Array = jax.Array
Attention = Literal["auto", "own", "xla", "cudnn"]

_AMPERE = (8, 0)  # the first generation of GPUs that cuDNN's kernel runs on

# B images, N tokens of an image, T = B x N tokens of a batch, D width, H heads, K width of a head


def self_attention(qkv: Array, batch: int, heads: int, kind: Attention = "auto") -> Array:
    """Rows (T, D) of tokens that attend to all tokens of their image, given queries, keys and values (T, 3 x D)."""
    shape = (batch, qkv.shape[0] // batch, 3, heads, qkv.shape[1] // (3 * heads))
    if kind == "auto":
        kind = suited((*shape[:2], *shape[3:]), qkv.dtype)
    if kind == "own":
        q, k, v = split_heads(qkv, batch, 3, heads)
        return join_heads(attend(q, k, v), heads)
    q, k, v = (qkv.reshape(shape)[:, :, part] for part in range(3))
    mixed: Array = jax.nn.dot_product_attention(q, k, v, implementation=kind)
    return mixed.reshape(qkv.shape[0], -1)


@cache
def suited(shape: tuple[int, ...], dtype: Any) -> Literal["own", "cudnn"]:
    """The implementation for queries (B, N, H, K) on the devices of this process."""
    if jax.default_backend() != "gpu" or not _is_ampere(jax.local_devices()[0]):
        return "own"

    def trained(x: Array) -> Array:
        return jax.vjp(partial(jax.nn.dot_product_attention, implementation="cudnn"), x, x, x)[0]

    try:
        jax.eval_shape(trained, jax.ShapeDtypeStruct(shape, jnp.dtype(dtype)))
    except (NotImplementedError, RuntimeError, ValueError):  # JAX: the kernel is not for these, or not there
        return "own"
    return "cudnn"


def _is_ampere(device: Any) -> bool:
    """Whether a GPU is NVIDIA's, of that generation or a later one; AMD's have names in place of numbers."""
    numbers = str(getattr(device, "compute_capability", "")).split(".")
    return all(number.isdecimal() for number in numbers) and tuple(map(int, numbers)) >= _AMPERE


def split_heads(x: Array, batch: int, parts: int, heads: int) -> tuple[Array, ...]:
    """Rows (T, parts x H x K) as each part's (B x H, N, K)."""
    x = x.reshape(batch, -1, parts, heads, x.shape[-1] // (parts * heads)).transpose(2, 0, 3, 1, 4)
    return unstacked(x.reshape(parts, batch * heads, *x.shape[3:]))


def join_heads(x: Array, heads: int) -> Array:
    """(B x H, N, K) as rows (T, H x K)."""
    x = x.reshape(-1, heads, *x.shape[1:]).transpose(0, 2, 1, 3)
    return x.reshape(-1, heads * x.shape[-1])
