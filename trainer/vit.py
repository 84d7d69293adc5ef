"""The Vision Transformer of arXiv 2106.04560, laid out so that XLA sees few and large matrix products."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import Initializer

from scalectl.trainer.attention import Attention, join_heads, self_attention, split_heads
from scalectl.trainer.own_model import model_settings
from scalectl.trainer.positions import sincos2d
from scalectl.trainer.products import attend, projected
from scalectl.trainer.sharding import by_image
from scalectl.trainer.spec import Head, Layers, ModelSpec, Positions, PreLogits, Remat, TrunkSpec

# B images, N tokens of an image, T = B x N tokens of a batch, D width, H heads, K width of a head, C classes
Array = jax.Array
Dense = partial(nn.Dense, dot_general=projected)


class ViT(nn.Module):
    """Maps images (B, height, width, channels) to logits (B, C) and to the features (B, D) that they are read from."""

    model: ModelSpec
    image_size: int
    channels: int
    num_classes: int
    head: Head
    head_bias: float
    dtype: str
    positions: Positions = "learned"
    layers: Layers = "loop"
    remat: Remat = "none"
    pre_logits: PreLogits = "none"
    attention: Attention = "auto"  # no recipe has another; benchmarks and tests compare them

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        """Float32 logits and features."""
        width, batch = self.model.width, images.shape[0]
        x_TD = Dense(width, dtype=self.dtype, name="embedding")(patches(images, self.model.patch_size))
        x_BND = x_TD.reshape(batch, -1, width)
        x_BND = x_BND + self._positions(x_BND.shape[1]).astype(self.dtype)[None]
        if self.head == "tok":
            token = self.param("token", nn.initializers.zeros_init(), (1, 1, width)).astype(self.dtype)
            x_BND = jnp.concatenate([jnp.broadcast_to(token, (batch, 1, width)), x_BND], axis=1)
        x_BND = self._encode(by_image(x_BND))
        x_BND = nn.LayerNorm(dtype=self.dtype, name="norm")(x_BND)
        x_BD = by_image(self._pool(x_BND))
        if self.pre_logits == "tanh":
            x_BD = jnp.tanh(Dense(width, dtype=self.dtype, name="pre_logits")(x_BD))
        features_BD = by_image(x_BD.astype(jnp.float32))
        kernel, bias = nn.initializers.zeros_init(), nn.initializers.constant(self.head_bias)
        head = Dense(self.num_classes, dtype=self.dtype, kernel_init=kernel, bias_init=bias, name="head")
        return by_image(head(features_BD).astype(jnp.float32)), features_BD

    def _encode(self, x_BND: Array) -> Array:
        names = [f"block_{layer}" for layer in range(self.model.depth)]
        if self.is_initializing() or (self.layers, self.remat) == ("loop", "none"):
            for name in names:
                x_BND = Block(self.model, self.dtype, self.attention, name=name)(x_BND)
            return x_BND
        params = [self.variables["params"][name] for name in names]
        block = Block(self.model, self.dtype, self.attention, parent=None)
        return encode(block, params, x_BND, self.layers, self.remat)

    def _positions(self, tokens: int) -> Array:
        width = self.model.width
        if self.positions == "sincos2d":
            return jnp.asarray(sincos2d(self.image_size // self.model.patch_size, width))
        return self.param("positions", nn.initializers.normal(width**-0.5), (tokens, width))

    def _pool(self, x_BND: Array) -> Array:
        if self.head == "tok":
            return x_BND[:, 0]
        if self.head == "gap":
            return x_BND.mean(axis=1)
        return AttentionPool(self.model, self.dtype, name="pool")(x_BND)


def build(trunk: TrunkSpec) -> ViT:
    """The model of a trunk; equal shapes give equal and equally hashed models."""
    return ViT(**model_settings(trunk))


def patches(images: Array, size: int) -> Array:
    """The non-overlapping patches of all images as rows (T, size x size x channels); a remainder is cut off."""
    batch, height, width, channels = images.shape
    rows, columns = height // size, width // size
    # a pixel's channels stay with its row of the patch: a TPU's compiler would else pad the grid to 8 x 128 patches
    whole = images[:, : rows * size, : columns * size].reshape(batch, rows, size, columns, size * channels)
    return whole.transpose(0, 1, 3, 2, 4).reshape(batch * rows * columns, size * size * channels)


class Block(nn.Module):
    """One pre-norm encoder layer."""

    model: ModelSpec
    dtype: str
    attention: Attention = "auto"

    @nn.compact
    def __call__(self, x_BND: Array) -> Array:
        """Tokens of the same shape."""
        shape, heads = x_BND.shape, self.model.num_heads
        x_TD = x_BND.reshape(-1, shape[-1])
        y_TD = nn.LayerNorm(dtype=self.dtype, name="attention_norm")(x_TD)
        qkv = by_image(dense(3 * shape[-1], self.dtype, "qkv")(y_TD))
        mixed = self_attention(qkv, shape[0], heads, self.attention)
        x_TD = by_image(x_TD + dense(shape[-1], self.dtype, "out")(mixed))
        y_TD = nn.LayerNorm(dtype=self.dtype, name="mlp_norm")(x_TD)
        return by_image((x_TD + MLP(self.model.mlp_dim, self.dtype, name="mlp")(y_TD)).reshape(shape))


def encode(block: Block, params: list[Any], x_BND: Array, layers: Layers, remat: Remat) -> Array:
    """Tokens after a block with each of `params` in turn; what is kept for the backward pass is as `remat` says.

    Parameters have the same names whatever the choice: a scan stacks them anew in every step.
    """

    def through(x_BND: Array, params: Any) -> tuple[Array, None]:
        after: Any = block.apply({"params": params}, x_BND)
        return after, None

    step = jax.checkpoint(through) if remat == "full" else through
    if layers == "scan":
        return jax.lax.scan(step, x_BND, jax.tree.map(lambda *leaves: jnp.stack(leaves), *params))[0]
    for layer in params:
        x_BND, _ = step(x_BND, layer)
    return x_BND


class AttentionPool(nn.Module):
    """Multi-head attention pooling (MAP): a learned probe attends to all tokens of an image, an MLP follows."""

    model: ModelSpec
    dtype: str

    @nn.compact
    def __call__(self, x_BND: Array) -> Array:
        """One row (D) for each image."""
        batch, _, width = x_BND.shape
        heads = self.model.num_heads
        probe = self.param("probe", nn.initializers.xavier_uniform(), (1, width)).astype(self.dtype)
        q_HQK = split_heads(dense(width, self.dtype, "q")(probe), 1, 1, heads)[0]
        q = jnp.tile(q_HQK, (batch, 1, 1))  # the same for all images, so projected once
        kv = by_image(dense(2 * width, self.dtype, "kv")(x_BND.reshape(-1, width)))
        k, v = split_heads(kv, batch, 2, heads)
        x_BD = by_image(dense(width, self.dtype, "out")(by_image(join_heads(attend(q, k, v), heads))))
        return x_BD + MLP(self.model.mlp_dim, self.dtype, name="mlp")(nn.LayerNorm(dtype=self.dtype, name="norm")(x_BD))


class MLP(nn.Module):
    """Two dense layers with a tanh GELU between them; erf costs three times as much on a CPU."""

    hidden: int
    dtype: str

    @nn.compact
    def __call__(self, x_TD: Array) -> Array:
        """Rows of the same shape."""
        xavier = partial(Dense, dtype=self.dtype, kernel_init=nn.initializers.xavier_uniform())
        hidden = nn.gelu(by_image(xavier(self.hidden, name="up")(x_TD)), approximate=True)
        return by_image(xavier(x_TD.shape[-1], name="down")(hidden))


def dense(features: int, dtype: str, name: str) -> Any:
    """A projection initialised as square Xavier-uniform ones are, however many lie side by side in it."""
    init: Initializer = nn.initializers.lecun_uniform()  # variance 1/D: that of Xavier's 2/(D + D)
    return Dense(features, dtype=dtype, kernel_init=init, name=name)
