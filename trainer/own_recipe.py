"""What has to hold for an optimizer and a schedule of one's own, found by tracing before anything is trained."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from scalectl.trainer import own, own_code
from scalectl.trainer.optimizer import direction
from scalectl.trainer.own_model import cpu_alone


class NoRecipe(ValueError):  # noqa: N818 - what is wrong lies in code of one's own
    """An optimizer or a schedule of one's own that can't train; the message names it, and what it has to give."""


@cache
def check_optimizer(key: str) -> None:
    """Raise NoRecipe where NAME@HASH gives no transformation, or directions of other shapes than the gradients."""
    like = {"params": {"head": {"kernel": jax.ShapeDtypeStruct((64, 32), jnp.float32)}}}
    like["params"]["head"]["bias"] = jax.ShapeDtypeStruct((32,), jnp.float32)
    name = f"optimizer {own.plain(key)}"

    def towards(params: Any) -> Any:
        transformation = direction(key)
        return transformation.update(params, transformation.init(params), params)[0]

    given = _traced(name, towards, like)
    if jax.tree.map(jnp.shape, given) != jax.tree.map(jnp.shape, like):
        raise NoRecipe(f"{name} has to give a direction of the shape of each gradient")


@cache
def check_schedule(key: str) -> None:
    """Raise NoRecipe where NAME@HASH gives no number for each update."""
    name, count = f"schedule {own.plain(key)}", jax.ShapeDtypeStruct((), jnp.int32)
    given = _traced(name, lambda *counts: jnp.asarray(own.thing("schedule", key)[1](*counts)), count, count, count)
    if given.shape:
        raise NoRecipe(f"{name} has to give one number, and gives an array {given.shape}")


def _traced(name: str, function: Any, *like: Any) -> Any:
    try:
        with cpu_alone(), own_code.prints_aside():
            return jax.eval_shape(function, *like)
    except Exception as error:  # whatever code of one's own raises
        reason = str(error).strip().partition("\n")[0]
        raise NoRecipe(f"{name} can't be traced: {type(error).__name__}: {reason}") from error
