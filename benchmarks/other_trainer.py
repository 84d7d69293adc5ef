"""Cells of studies/cifar10 trained by a plain script in Flax Linen and Optax, as users of both would write it.

uv run python benchmarks/other_trainer.py --train FILE --test FILE [--widths 32 64] [--steps 100 400] [--seeds 0 1 2]
    > other_trainer.csv

Nothing of scalectl is used: a study's errors should agree with those here within the noise of seeds. A width has
width / 16 blocks and heads, batches are 128 images of all in the file, and each cell prints a row of CSV: its error on
the test images, and the images a second of its training, compiling apart.
"""

import argparse
import io
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import linen as nn
from flax.training.train_state import TrainState
from PIL import Image

CLASSES, PATCH, BATCH, SHIFT = 10, 4, 128, 4
LR, WARMUP, TIMESCALE, COOLDOWN = 1e-3, 30, 200, 0.2
XAVIER = nn.initializers.xavier_uniform()


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        width = x.shape[-1]
        return nn.Dense(width, kernel_init=XAVIER)(nn.gelu(nn.Dense(4 * width, kernel_init=XAVIER)(x)))


class Block(nn.Module):
    heads: int

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads, kernel_init=XAVIER)(y, y)
        return x + Mlp()(nn.LayerNorm()(x))


class ViT(nn.Module):
    """A ViT whose pooling is attention by a learned probe, and an MLP."""

    width: int

    @nn.compact
    def __call__(self, images):
        heads = self.width // 16
        x = nn.Conv(self.width, (PATCH, PATCH), (PATCH, PATCH), padding="VALID")(images)
        x = x.reshape(len(x), -1, self.width)
        x = x + self.param("positions", nn.initializers.normal(self.width**-0.5), (1, *x.shape[1:]))
        for _ in range(heads):
            x = Block(heads)(x)
        x = nn.LayerNorm()(x)
        probe = jnp.tile(self.param("probe", XAVIER, (1, 1, self.width)), (len(x), 1, 1))
        x = nn.MultiHeadDotProductAttention(heads, kernel_init=XAVIER)(probe, x)
        x = (x + Mlp()(nn.LayerNorm()(x)))[:, 0]
        bias = nn.initializers.constant(-np.log(CLASSES))
        return nn.Dense(CLASSES, kernel_init=nn.initializers.zeros, bias_init=bias, name="head")(x)


def optimizer(steps: int) -> optax.GradientTransformation:
    """The Adafactor of the paper with its two weight decays, over a warmup, a reciprocal square root and a cooldown."""

    def rate(step):
        decay = jax.lax.rsqrt(1.0 + jnp.maximum(step - WARMUP, 0) / TIMESCALE)
        cooldown = jnp.minimum(1.0, (steps - step) / (COOLDOWN * steps))
        return LR * jnp.minimum(1.0, (step + 1) / WARMUP) * decay * cooldown

    def decays(params, *, head: bool):
        def chosen(path, _):
            return path[-1].key == "kernel" and (path[-2].key == "head") == head

        return jax.tree_util.tree_map_with_path(chosen, params)

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_factored_rms(
            min_dim_size_to_factor=32,
            decay_rate_fn=lambda step, rate: jnp.minimum(0.999, 1 - (step + 1.0) ** -rate),
        ),
        optax.ema(0.9, debias=False, accumulator_dtype=jnp.bfloat16),
        optax.add_decayed_weights(3.0, partial(decays, head=True)),
        optax.add_decayed_weights(0.03, partial(decays, head=False)),
        optax.scale_by_learning_rate(rate),
    )


@partial(jax.jit, donate_argnums=0)
def train_step(state, images, labels):
    def loss_of(params):
        logits = state.apply_fn({"params": params}, images)
        return optax.sigmoid_binary_cross_entropy(logits, jax.nn.one_hot(labels, CLASSES)).sum(axis=-1).mean()

    return state.apply_gradients(grads=jax.grad(loss_of)(state.params))


@jax.jit
def right(state, images, labels):
    return (state.apply_fn({"params": state.params}, images).argmax(axis=-1) == labels).sum()


def decoded(file: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of a file (count, 32, 32, 3) from -1 to 1, and their labels (count)."""
    table = pd.read_parquet(file)
    pixels = [np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB")) for image in table["image"]]
    return np.stack(pixels).astype(np.float32) / 127.5 - 1, table["label"].to_numpy(np.int32)


def augmented(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Images moved by up to SHIFT pixels each way, and half of them mirrored."""
    side = images.shape[1]
    wide = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), constant_values=-1)
    corners = random.integers(0, 2 * SHIFT + 1, (len(images), 2))
    moved = np.stack([image[y : y + side, x : x + side] for image, (y, x) in zip(wide, corners, strict=True)])
    return np.where(random.random(len(images))[:, None, None, None] < 0.5, moved[:, :, ::-1], moved)


def trained(width: int, steps: int, seed: int, images: np.ndarray, labels: np.ndarray) -> tuple[TrainState, float]:
    """The state after `steps`, and the images a second of all steps but the first."""
    model, random = ViT(width), np.random.default_rng(seed)
    params = jax.jit(model.init)(jax.random.key(seed), images[:1])["params"]
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optimizer(steps))
    order = np.concatenate([random.permutation(len(images)) for _ in range(1 + steps * BATCH // len(images))])
    began = 0.0
    for step in range(steps):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        state = train_step(state, augmented(images[chosen], random), labels[chosen])
        if step == 0:
            jax.block_until_ready(state)
            began = time.perf_counter()
    jax.block_until_ready(state)
    return state, (steps - 1) * BATCH / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    (images, labels), (unseen, truth) = decoded(asked.train), decoded(asked.test)
    print("width,steps,seed,error,images_per_second")
    for width in asked.widths:
        for steps in asked.steps:
            for seed in asked.seeds:
                state, speed = trained(width, steps, seed, images, labels)
                parts = range(0, len(unseen), 500)
                hits = sum(int(right(state, unseen[at : at + 500], truth[at : at + 500])) for at in parts)
                print(f"{width},{steps},{seed},{1 - hits / len(unseen):.4f},{speed:.1f}", flush=True)


if __name__ == "__main__":
    main()
