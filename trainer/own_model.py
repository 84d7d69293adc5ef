"""A model of one's own: what it is made from, what has to hold for it, and its counts, which are traced."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalectl.trainer import own, own_code
from scalectl.trainer.spec import Head, Layers, ModelSpec, Positions, PreLogits, Remat, TrunkSpec

# primitives of one FLOP an element, and of one for each that they take away; products are counted apart, all else is
# free: exp, tanh and the like are none of the FLOPs of XLA's cost analysis either
ELEMENTWISE = {"add", "sub", "mul", "div", "max", "min", "neg", "abs", "sign", "floor", "select_n", "add_any"}
ELEMENTWISE |= {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "rem", "square"}
REDUCING = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"}


class NoModel(ValueError):  # noqa: N818 - what is wrong lies in code of one's own
    """A model of one's own that can't be trained; the message names it, and what it has to have."""


@dataclass(frozen=True)
class Net:
    """What a model of one's own is made from: its shape, the images, and what the recipe says of models.

    Programs call it as they call a Flax module, which the function makes of it that was added under its name.
    """

    model: ModelSpec
    image_size: int
    channels: int
    num_classes: int
    head: Head = "map"
    head_bias: float = 0.0  # of the classifier, at first
    dtype: str = "float32"  # of matrix products; parameters and logits are float32
    positions: Positions = "learned"
    layers: Layers = "loop"
    remat: Remat = "none"
    pre_logits: PreLogits = "none"
    attention: str = "auto"

    @property
    def options(self) -> dict[str, Any]:
        """What the file gives under `models.NAME.options`."""
        given: dict[str, Any] = json.loads(self.model.options or "{}")
        return given

    def clone(self, **changes: Any) -> "Net":
        """The same with other values, as a Flax module has it."""
        return replace(self, **changes)

    def init(self, key: Any, images: Any) -> Any:
        """First variables, drawn from a key."""
        return _module(self).init(key, images)

    def apply(self, variables: Any, images: Any) -> Any:
        """Logits (B, C) and features (B, D)."""
        return _module(self).apply(variables, images)


def net(trunk: TrunkSpec) -> Net:
    """What the model of a trunk is made from."""
    return Net(**model_settings(trunk))


def model_settings(trunk: TrunkSpec) -> dict[str, Any]:
    """All that a trunk says of its model, by the names of Net and of the ViT."""
    data, recipe = trunk.data, trunk.recipe
    return {
        "model": trunk.model,
        "image_size": data.image_size,
        "channels": data.channels,
        "num_classes": data.num_classes,
        "head": recipe.head,
        "head_bias": recipe.head_bias,
        "dtype": recipe.precision,
        "positions": recipe.positions,
        "layers": recipe.layers,
        "remat": recipe.remat,
        "pre_logits": recipe.pre_logits,
    }


@cache
def _module(of: Net) -> Any:
    return own.thing("model", of.model.architecture)(of)


class Counts(NamedTuple):
    """The shapes of a model's parameters, and the FLOPs of the forward pass of one image."""

    shapes: tuple[tuple[int, ...], ...]
    flops: int

    @property
    def params(self) -> int:
        """How many numbers its parameters are."""
        return sum(map(math.prod, self.shapes))


@lru_cache(maxsize=1024)
def counts(of: Net) -> Counts:
    """The counts of a model, of which nothing is computed; raises NoModel."""
    image = jax.ShapeDtypeStruct((1, of.image_size, of.image_size, of.channels), jnp.float32)
    name = own.plain(of.model.architecture)
    try:
        with cpu_alone(), own_code.prints_aside():
            variables = jax.eval_shape(lambda image: of.init(jax.random.key(0), image), image)
            _check_variables(name, variables)
            jaxpr, outputs = jax.make_jaxpr(of.apply, return_shape=True)(variables, image)
    except (NoModel, own.Missing):
        raise
    except Exception as error:  # whatever code of one's own raises
        raise NoModel(f"architecture {name} can't be built: {type(error).__name__}: {error}".strip()) from error
    _check_outputs(name, outputs, of.num_classes)
    return Counts(tuple(leaf.shape for leaf in jax.tree.leaves(variables)), flops(jaxpr.jaxpr))


@contextmanager
def cpu_alone() -> Iterator[None]:
    """Have JAX look for no accelerator, unless it has: who plans and launches is to take none from the workers."""
    try:  # whether JAX has looked for devices is told nowhere else
        from jax._src.xla_bridge import backends_are_initialized
        from jax.extend.backend import clear_backends
    except ImportError:  # of another version, which may look for an accelerator then; the counts are the same
        yield
        return
    if backends_are_initialized():
        yield
        return
    platforms = jax.config.jax_platforms  # type: ignore[attr-defined]
    jax.config.update("jax_platforms", "cpu")
    try:
        yield
    finally:
        clear_backends()
        jax.config.update("jax_platforms", platforms)


def _check_variables(name: str, variables: Any) -> None:
    if not isinstance(variables, dict) or "params" not in variables:
        raise NoModel(f"architecture {name}: init gives no variables with a collection params, as a Flax module does")
    if others := sorted(variables.keys() - {"params"}):
        words = f"architecture {name} has {', '.join(others)} beside its params, which no step would update"
        raise NoModel(f"{words}: normalise by LayerNorm, GroupNorm or the like")
    if "head" not in variables["params"]:
        raise NoModel(
            f"architecture {name}: no layer is called head, and the classifier has to be; it is given decay"
            " of its own, and fine-tuning begins it anew"
        )


def _check_outputs(name: str, outputs: Any, num_classes: int) -> None:
    shapes = (
        [getattr(part, "shape", None) for part in outputs] if isinstance(outputs, tuple | list) else [outputs.shape]
    )
    right = len(shapes) == 2 and shapes[0] == (1, num_classes) and shapes[1] is not None and len(shapes[1]) == 2
    if not right:
        given = " and ".join(map(str, shapes))
        raise NoModel(
            f"architecture {name} gives {given} for one image: it has to give logits (1, {num_classes}) and the"
            " features (1, width) that they are read from"
        )
    if any(part.dtype != jnp.float32 for part in outputs):
        raise NoModel(f"architecture {name}: logits and features have to be float32: end with .astype(jnp.float32)")


def flops(jaxpr: Any) -> int:
    """The FLOPs of a traced program: 2 for a multiply-add, 1 for an element-wise operation, as XLA counts them."""
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: Any) -> int:
    name, (out, *_), given = equation.primitive.name, equation.outvars, equation.params
    size = math.prod(out.aval.shape)
    if name == "dot_general":
        (contracted, _), _ = given["dimension_numbers"]
        return 2 * size * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        return 2 * size * math.prod(kernel) // kernel[given["dimension_numbers"].rhs_spec[0]]
    if name == "integer_pow":
        return size * (abs(given["y"]).bit_length() + abs(given["y"]).bit_count() - 2)
    if name in ELEMENTWISE:
        return size
    if name in REDUCING:
        return math.prod(equation.invars[0].aval.shape) - size
    return given.get("length", 1) * max((flops(inner) for inner in _inner(given, name)), default=0)


def _inner(given: dict[str, Any], name: str) -> Iterator[Any]:
    """Yield the programs inside an equation: of a branch all, of which the longest counts; of a loop its body."""
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr", "body_jaxpr", "branches"):
        inner = given.get(key)
        for program in inner if isinstance(inner, tuple | list) else [inner]:
            if program is not None:
                yield getattr(program, "jaxpr", program)


def transferred(params: Any, to: Net, resampled: Any) -> Any:
    """Weights for a model of another resolution or other classes: the head zero, the rest kept.

    Raises NoModel where a parameter has another shape there that nothing is known of.
    """
    image = jax.ShapeDtypeStruct((1, to.image_size, to.image_size, to.channels), jnp.float32)
    wanted = jax.eval_shape(lambda image: to.init(jax.random.key(0), image), image)

    def moved(path: Any, like: Any, leaf: Any = None) -> Any:
        names = [key.key for key in path]
        if names[1] == "head":
            return np.zeros(like.shape, np.float32)
        if leaf.shape == like.shape:
            return leaf
        if names[1:] == ["positions"] and len(leaf.shape) == 2:
            return resampled(leaf, math.isqrt(like.shape[0]))
        raise NoModel(
            f"{'/'.join(names[1:])} has the shape {leaf.shape}, and {like.shape} at {to.image_size} pixels:"
            " such a model can be fine-tuned at the resolution of its training alone"
        )

    old = {"params": {**params["params"], "head": wanted["params"]["head"]}}
    return jax.tree_util.tree_map_with_path(moved, wanted, old)
