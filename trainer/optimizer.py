"""The paper's schedule, its two memory-efficient optimizers, and its separate weight decay of head and body."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from trainer.spec import RecipeSpec, RunSpec

Array = jax.Array
Params = Any  # a nested dict of arrays
NEVER = 2**30  # an end so far away that the cooldown factor is exactly 1


class Settings(NamedTuple):
    """The numbers of a recipe and of its horizon, passed to compiled programs as arguments."""

    lr: Any
    clip_norm: Any
    weight_decay_head: Any
    weight_decay_body: Any
    warmup: Any
    timescale: Any
    total: Any
    cooldown: Any


def settings(recipe: RecipeSpec, run: RunSpec | None) -> Settings:
    """Return the settings of a run, or of a trunk, which never cools down, when there is none."""
    horizon = (run.steps, run.cooldown) if run else (NEVER, 1)
    rates = (recipe.lr, recipe.clip_norm, recipe.weight_decay_head, recipe.weight_decay_body)
    return Settings(*map(np.float32, rates), *map(np.int32, (recipe.warmup, recipe.timescale, *horizon)))


def schedule(step: Array, at: Settings) -> Array:
    """Return the factor of the learning rate for the update that follows `step` updates (section 3.5 of the paper).

    Warmup reaches 1 at its last update and the cooldown would reach 0 at the first one after the end, so none is lost.
    """
    warmup = jnp.minimum(1.0, (step + 1) / jnp.maximum(at.warmup, 1))
    decay = jax.lax.rsqrt(1.0 + jnp.maximum(step - at.warmup, 0) / at.timescale)
    cooldown = jnp.minimum(1.0, (at.total - step) / jnp.maximum(at.cooldown, 1))
    return warmup * decay * cooldown


def direction(name: Literal["adafactor", "adamw"]) -> optax.GradientTransformation:
    """Return the transformation of clipped gradients to the direction that an optimizer descends (section 3.4)."""
    if name == "adamw":
        return optax.scale_by_adam(b1=0.9, b2=0.999, mu_dtype=jnp.bfloat16)
    second = optax.scale_by_factored_rms(min_dim_size_to_factor=32, epsilon=1e-30, decay_rate_fn=second_moment_decay)
    return optax.chain(second, optax.ema(0.9, debias=False, accumulator_dtype=jnp.bfloat16))


def second_moment_decay(step: Any, exponent: Any) -> Array:
    """Return Adafactor's decay after `step` updates, capped so that it never freezes (section 3.4)."""
    return jnp.minimum(0.999, 1.0 - (step + 1.0) ** -exponent)


def weight_decay(path: tuple[str, ...], at: Settings) -> Any:
    """Return the weight decay of the parameter at `path`: first match of head/kernel, */kernel, anything else."""
    if path[-2:] == ("head", "kernel"):
        return at.weight_decay_head
    return at.weight_decay_body if path[-1] == "kernel" else 0.0


def clip(grads: Params, max_norm: Any) -> tuple[Params, Array]:
    """Return gradients whose global norm is at most `max_norm`, and the norm that they had."""
    norm = optax.tree.norm(grads)
    factor = jnp.minimum(1.0, max_norm / norm)
    return jax.tree.map(lambda grad: grad * factor, grads), norm


def updated(params: Params, directions: Params, lr: Array, at: Settings) -> Params:
    """Return `params - lr * (direction + decay * params)`: `lr` has the schedule in it, and scales the decay too."""

    def one(path: Any, param: Array, towards: Array) -> Array:
        decay = weight_decay(tuple(key.key for key in path), at)
        return param - lr * (towards + decay * param)

    return jax.tree_util.tree_map_with_path(one, params, directions)
