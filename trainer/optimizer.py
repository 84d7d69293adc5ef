"""The paper's schedules, its two memory-efficient optimizers, and its separate weight decay of head and body."""

from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scalectl.trainer.spec import RecipeSpec, RunSpec, Schedule

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
    family: Any = 0  # place of the schedule in its list of names


def settings(recipe: RecipeSpec, run: RunSpec | None) -> Settings:
    """Return the settings of a run, or of a trunk, which never cools down, when there is none."""
    horizon = (run.steps, _linear_end(recipe, run)) if run else (NEVER, 1)
    rates = (recipe.lr, recipe.clip_norm, recipe.weight_decay_head, recipe.weight_decay_body)
    counts = (recipe.warmup, recipe.timescale, *horizon, get_args(Schedule).index(recipe.schedule))
    return Settings(*map(np.float32, rates), *map(np.int32, counts))


def _linear_end(recipe: RecipeSpec, run: RunSpec) -> int:
    """Return the steps over which the rate falls linearly to zero; one is none."""
    if recipe.needs_horizon:
        return run.steps - recipe.warmup if recipe.schedule == "linear" else 1
    return run.cooldown


def schedule(step: Array, at: Settings) -> Array:
    """Return the factor of the learning rate for the update that follows `step` updates (section 3.5 of the paper).

    Warmup reaches 1 at its last update and the cooldown would reach 0 at the first one after the end, so none is lost.
    """
    warmup = jnp.minimum(1.0, (step + 1) / jnp.maximum(at.warmup, 1))
    cooldown = jnp.minimum(1.0, (at.total - step) / jnp.maximum(at.cooldown, 1))
    return warmup * _decay(step, at) * cooldown


def _decay(step: Array, at: Settings) -> Array:
    """Return what a family does between warmup and cooldown, from 1 on; Figure 7 of the paper draws all but cosine."""
    after, timescale = jnp.maximum(step - at.warmup, 0), jnp.maximum(at.timescale, 1)
    flat = jnp.ones_like(after, jnp.float32)
    families = {
        "rsqrt": jax.lax.rsqrt(1.0 + after / timescale),
        "constant": jnp.maximum(0.1, 1.0 - 0.9 * after / (4 * timescale)),  # a spike, then a tenth of it
        "trapezoidal": flat,
        "linear": flat,  # all of it is cooldown
        "cosine": 0.5 + 0.5 * jnp.cos(jnp.pi * after / (at.total - at.warmup)),
    }
    return jax.lax.select_n(jnp.asarray(at.family), *(families[name] for name in get_args(Schedule)))


def direction(name: Literal["adafactor", "adamw", "sgd"]) -> optax.GradientTransformation:
    """Return the transformation of clipped gradients to the direction that an optimizer descends (section 3.4).

    Models are trained with adafactor or adamw, and fine-tuned with sgd.
    """
    if name == "sgd":
        return optax.trace(0.9, accumulator_dtype=jnp.bfloat16)
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
