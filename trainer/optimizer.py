"""The paper's schedules, its two memory-efficient optimizers, and its separate weight decay of head and body."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scalectl.trainer import own
from scalectl.trainer.spec import RecipeSpec, RunSpec

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
    family: Any = 0  # place of the schedule in DECAYS; of no use where it is one's own


def settings(recipe: RecipeSpec, run: RunSpec | None) -> Settings:
    """The settings of a run, or of a trunk, which never cools down, when there is none."""
    total, cooldown = NEVER, 1
    if run:
        total = run.steps
        if not recipe.needs_horizon:
            cooldown = run.cooldown
    rates = (recipe.lr, recipe.clip_norm, recipe.weight_decay_head, recipe.weight_decay_body)
    counts = (recipe.warmup, recipe.timescale, total, cooldown, family(recipe.schedule))
    return Settings(*map(np.float32, rates), *map(np.int32, counts))


def schedule(step: Array, numbers: Settings, own_name: str = "") -> Array:
    """The factor of the learning rate for the update that follows `step` updates (section 3.5 of the paper).

    Warmup reaches 1 at its last update and the cooldown would reach 0 at the first one after the end, so none is lost.
    Between them the rate follows NAME@HASH of one's own where that is given, and the settings' family elsewhere.
    """
    warmup = jnp.minimum(1.0, (step + 1) / jnp.maximum(numbers.warmup, 1))
    cooldown = jnp.minimum(1.0, (numbers.total - step) / jnp.maximum(numbers.cooldown, 1))
    return warmup * _decay(step, numbers, own_name) * cooldown


def _decay(step: Array, numbers: Settings, own_name: str) -> Array:
    after, timescale = jnp.maximum(step - numbers.warmup, 0), jnp.maximum(numbers.timescale, 1)
    length = numbers.total - numbers.warmup
    if own_name:  # may say a plain or a whole number
        return jnp.asarray(own.thing("schedule", own_name)[1](after, timescale, length), jnp.float32)
    factors = [decay(after, timescale, length) for decay in DECAYS.values()]
    return jax.lax.select_n(jnp.asarray(numbers.family), *factors)


def rsqrt(after: Array, timescale: Array, length: Array) -> Array:
    """A reciprocal square root."""
    return jax.lax.rsqrt(1.0 + after / timescale)


def constant(after: Array, timescale: Array, length: Array) -> Array:
    """A spike, then a tenth of it."""
    return jnp.maximum(0.1, 1.0 - 0.9 * after / (4 * timescale))


def trapezoidal(after: Array, timescale: Array, length: Array) -> Array:
    """No decay before the cooldown."""
    return jnp.ones_like(after, jnp.float32)


def linear(after: Array, timescale: Array, length: Array) -> Array:
    """A straight line to zero at the end."""
    return jnp.minimum(1.0, (length - after) / jnp.maximum(length, 1))


def cosine(after: Array, timescale: Array, length: Array) -> Array:
    """Half a cosine to zero at the end."""
    return 0.5 + 0.5 * jnp.cos(jnp.pi * after / length)


# What each schedule does between warmup and cooldown, from 1 on, `after` updates past the warmup, of `length` until the
# end; Figure 7 of the paper draws all but cosine. One that is added here has its facts in trainer.spec.SCHEDULES.
DECAYS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "rsqrt": rsqrt,
    "constant": constant,
    "trapezoidal": trapezoidal,
    "linear": linear,
    "cosine": cosine,
}


def family(name: str) -> int:
    """The place of a schedule in DECAYS, by which compiled programs choose it; 0 for one of one's own."""
    return 0 if is_own(name) else list(DECAYS).index(name)


def own_schedule(recipe: RecipeSpec) -> str:
    """NAME@HASH of a schedule of one's own, for which programs are compiled; empty for all others."""
    return recipe.schedule if is_own(recipe.schedule) else ""


def is_own(name: str) -> bool:
    """Whether a name is NAME@HASH of an optimizer or a schedule of one's own."""
    return bool(own.version(name))


def direction(name: str) -> optax.GradientTransformation:
    """The transformation of clipped gradients to the direction that an optimizer descends (section 3.4).

    Models are trained with adafactor, adamw or NAME@HASH of one's own, and fine-tuned with sgd.
    """
    if is_own(name):
        own_direction: optax.GradientTransformation = own.thing("optimizer", name)()
        return own_direction
    if name == "sgd":
        return optax.trace(0.9, accumulator_dtype=jnp.bfloat16)
    if name == "adamw":
        return optax.scale_by_adam(b1=0.9, b2=0.999, mu_dtype=jnp.bfloat16)
    second = optax.scale_by_factored_rms(min_dim_size_to_factor=32, epsilon=1e-30, decay_rate_fn=second_moment_decay)
    return optax.chain(second, optax.ema(0.9, debias=False, accumulator_dtype=jnp.bfloat16))


def moments(optimizer: str, params: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], int]]:
    """The shape of each array that an optimizer keeps for parameters of these shapes, and the bytes of its numbers."""
    like = [jax.ShapeDtypeStruct(sides, jnp.float32) for sides in params]
    kept = jax.eval_shape(direction(optimizer).init, like)
    return [(leaf.shape, np.dtype(leaf.dtype).itemsize) for leaf in jax.tree.leaves(kept)]


def second_moment_decay(step: Any, exponent: Any) -> Array:
    """Adafactor's decay after `step` updates, capped so that it never freezes (section 3.4)."""
    return jnp.minimum(0.999, 1.0 - (step + 1.0) ** -exponent)


def weight_decay(path: tuple[str, ...], numbers: Settings) -> Any:
    """The weight decay of the parameter at `path`: first match of head/kernel, */kernel, anything else."""
    if path[-2:] == ("head", "kernel"):
        return numbers.weight_decay_head
    return numbers.weight_decay_body if path[-1] == "kernel" else 0.0


def clip(grads: Params, max_norm: Any) -> tuple[Params, Array]:
    """Gradients whose global norm is at most `max_norm`, and the norm that they had."""
    norm = optax.tree.norm(grads)
    factor = jnp.minimum(1.0, max_norm / norm)
    return jax.tree.map(lambda grad: grad * factor, grads), norm


def updated(params: Params, directions: Params, lr: Array, numbers: Settings) -> Params:
    """`params - lr * (direction + decay * params)`: `lr` has the schedule in it, and scales the decay too."""

    def moved(path: Any, param: Array, towards: Array) -> Array:
        decay = weight_decay(tuple(key.key for key in path), numbers)
        return param - lr * (towards + decay * param)

    return jax.tree_util.tree_map_with_path(moved, params, directions)
