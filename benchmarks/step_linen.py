"""The peer: a ViT in Flax Linen with an Optax chain in a Python loop, as a user of both would write it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from step_shapes import CLIP, DECAY, FETCH, LR, TOTAL, WARMUP, Work, timed


class EncoderBlock(nn.Module):
    mlp_dim: int
    num_heads: int
    dtype: str

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm(dtype=self.dtype)(x)
        x = x + nn.MultiHeadDotProductAttention(self.num_heads, dtype=self.dtype)(y, y)
        y = nn.LayerNorm(dtype=self.dtype)(x)
        y = nn.gelu(nn.Dense(self.mlp_dim, dtype=self.dtype)(y))
        return x + nn.Dense(x.shape[-1], dtype=self.dtype)(y)


class ViT(nn.Module):
    work: Work

    @nn.compact
    def __call__(self, images):
        model, dtype = self.work.model, self.work.precision
        patch = (model.patch_size, model.patch_size)
        x = nn.Conv(model.width, patch, strides=patch, padding="VALID", dtype=dtype)(images)
        x = x.reshape(x.shape[0], -1, model.width)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, *x.shape[1:])).astype(dtype)
        for _ in range(model.depth):
            x = EncoderBlock(model.mlp_dim, model.num_heads, dtype)(x)
        x = nn.LayerNorm(dtype=dtype)(x).mean(axis=1)
        return nn.Dense(self.work.classes, dtype=dtype)(x).astype(jnp.float32)


def chain():
    rate = optax.warmup_cosine_decay_schedule(0.0, LR, WARMUP, TOTAL)

    def kernels(params):
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.scale_by_adam(mu_dtype=jnp.bfloat16),
        optax.add_decayed_weights(DECAY, mask=kernels),
        optax.scale_by_learning_rate(rate),
    )


def train_step(state, images, labels):
    def loss_fn(params):
        logits = state.apply_fn(params, images)
        targets = jax.nn.one_hot(labels, logits.shape[-1])
        return optax.sigmoid_binary_cross_entropy(logits, targets).sum(axis=-1).mean()

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    return state.apply_gradients(grads=grads), loss


class Side:
    def __init__(self, work: Work, images: np.ndarray, labels: np.ndarray) -> None:
        model = ViT(work)
        self.batch = images, labels
        params = jax.jit(model.init)(jax.random.key(0), images[:1])
        self.state = TrainState.create(apply_fn=model.apply, params=params, tx=chain())
        self.compiling = timed(self._compile)

    def _compile(self) -> None:
        self.step = jax.jit(train_step, donate_argnums=0).lower(self.state, *self.batch).compile()

    def advance(self, steps: int) -> float:
        loss = None
        for number in range(steps):
            self.state, loss = self.step(self.state, *self.batch)
            if number % FETCH == 0:
                float(loss)
        jax.block_until_ready(self.state)
        return float(loss)
