"""What a model's programs compute: several optimizer steps in one dispatch, and the reading of images."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scalectl.trainer.answers import ranked, wrong
from scalectl.trainer.flops import dispatch, training_flops
from scalectl.trainer.grouping import grouped, ungrouped
from scalectl.trainer.optimizer import Settings, clip, direction, is_own, own_schedule, schedule, updated
from scalectl.trainer.own_model import Net, net
from scalectl.trainer.spec import Loss, Optimizer, TrunkSpec
from scalectl.trainer.views import seen
from scalectl.trainer.vit import ViT, build

Array = jax.Array


class State(NamedTuple):
    """All that a trunk hands from one step to the next; moments are in groups while a small model trains."""

    step: Any  # the updates made
    params: Any
    moments: Any


class Metrics(NamedTuple):
    """What the steps of a dispatch tell, one entry each; loss and gradient norm are those before the update."""

    loss: Any
    learning_rate: Any
    grad_norm: Any


class Readings(NamedTuple):
    """What a model says of images: the loss (B), whether its answer is wrong (B), the features (B, D), how many classes
    it prefers to the label, or to the best of several (B), and the label itself (B), -1 where there may be several.
    """

    loss: Any
    wrong: Any
    features: Any
    rank: Any
    labels: Any


@dataclass(frozen=True)
class Shape:
    """All that programs are compiled for; whatever else a recipe has is an argument."""

    model: ViT | Net
    batch_size: int
    loss: Loss
    optimizer: Optimizer | Literal["sgd"]
    steps: int  # at most, in one dispatch
    microbatch: int = 0  # images whose gradient is computed at a time; 0: all
    parts: int = 1  # devices that share each batch, and each microbatch
    schedule: str = ""  # NAME@HASH of one's own; which of the others it is, is an argument

    @property
    def images(self) -> tuple[int, ...]:
        """The shape of a batch of images."""
        return (self.batch_size, self.model.image_size, self.model.image_size, self.model.channels)

    @property
    def groups(self) -> bool:
        """Whether small arrays may be updated together: one's own optimizer sees each parameter by itself."""
        return not is_own(self.optimizer)


def shape(trunk: TrunkSpec) -> Shape:
    """The shape that a trunk shares with all trunks that its programs serve as well."""
    recipe = trunk.recipe
    steps = dispatch(training_flops(trunk, 1))
    model = net(trunk) if trunk.model.is_own else build(trunk)
    of_recipe = recipe.batch_size, recipe.loss, recipe.optimizer, steps, recipe.microbatch
    return Shape(model, *of_recipe, schedule=own_schedule(recipe))


def losses(logits_BC: Array, labels_B: Array, kind: Loss) -> Array:
    """Each image's loss (B): sigmoid cross-entropy summed over the classes, or softmax cross-entropy.

    For sigmoid, `labels_B` may be ones at several labels of an image and zeros elsewhere (B, C).
    """
    if kind == "softmax":
        return optax.softmax_cross_entropy_with_integer_labels(logits_BC, labels_B)
    targets_BC = labels_B if labels_B.ndim > 1 else jax.nn.one_hot(labels_B, logits_BC.shape[-1])
    return optax.sigmoid_binary_cross_entropy(logits_BC, targets_BC).sum(axis=-1)


def one_step(shape: Shape, state: State, images: Any, labels: Array, numbers: Settings) -> tuple[State, Metrics]:
    """The state after an update on one batch, with what the batch told before it."""
    params = state.params
    loss, grads = gradient(shape, params, seen(images, shape.model.image_size), labels)
    whole = params
    if shape.groups:
        grads, whole = grouped(grads, params), grouped(params, params)
    clipped, norm = clip(grads, numbers.clip_norm)
    towards, moments = direction(shape.optimizer).update(clipped, state.moments, whole)
    if shape.groups:
        towards = ungrouped(towards, params)
    lr = numbers.lr * schedule(state.step, numbers, shape.schedule)
    params = updated(params, towards, lr, numbers)
    return State(state.step + 1, params, moments), Metrics(loss, lr, norm)


def gradient(shape: Shape, params: Any, images: Array, labels: Array) -> tuple[Array, Any]:
    """The mean loss of a batch and its gradient, which microbatches add up in float32."""

    def mean_loss(params: Any, images: Array, labels: Array) -> Array:
        logits_BC, _ = shape.model.apply(params, images)
        return losses(logits_BC, labels, shape.loss).mean()

    whole = jax.value_and_grad(mean_loss)
    if not shape.microbatch:
        return whole(params, images, labels)
    pieces = jax.tree.map(lambda rows: pieces_of(shape, rows), (images, labels))

    def add(total: Any, piece: tuple[Array, Array]) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, whole(params, *piece)), None

    nothing = jax.tree.map(jnp.zeros_like, (jnp.zeros(()), params))
    total, _ = jax.lax.scan(add, nothing, pieces)
    loss, grads = jax.tree.map(lambda leaf: leaf * (shape.microbatch / shape.batch_size), total)
    return loss, grads


def pieces_of(shape: Shape, rows: Array) -> Array:
    """A batch as microbatches (pieces, microbatch, ...), each device's images divided among all of them."""
    own = rows.reshape(shape.parts, -1, shape.microbatch // shape.parts, *rows.shape[1:])
    return own.swapaxes(0, 1).reshape(-1, shape.microbatch, *rows.shape[1:])


def several_steps(
    shape: Shape, state: State, count: Array, images: Any, labels: Array, numbers: Settings
) -> tuple[State, Metrics]:
    """The state after the first `count` of the stacked batches; how steps are grouped changes no bit."""

    def of_step(i: Any) -> tuple[Any, Array]:
        return jax.tree.map(lambda rows: rows[i], (images, labels))

    if shape.steps == 1:  # no loop: a GPU's would hold the host until the step is done, and no batch be read meanwhile
        state, metrics = one_step(shape, state, *of_step(0), numbers)
        return state, jax.tree.map(lambda metric: metric[None], metrics)

    def body(i: Array, carried: tuple[State, Metrics]) -> tuple[State, Metrics]:
        state, metrics = carried
        state, latest = one_step(shape, state, *of_step(i), numbers)
        return state, jax.tree.map(lambda steps, step: steps.at[i].set(step), metrics, latest)

    return jax.lax.fori_loop(0, count, body, (state, Metrics(*[jnp.zeros(shape.steps)] * 3)))


def read(shape: Shape, params: Any, images: Array, labels: Array) -> Readings:
    """What a model says of one batch; upstream and few-shot evaluation share this pass."""
    logits_BC, features_BD = shape.model.apply(params, images)
    rank, one_B = ranked(logits_BC, labels), labels
    if labels.ndim > 1:  # of all images at once they may be more than the host has memory for
        one_B = jnp.full(len(labels), -1)
    return Readings(losses(logits_BC, labels, shape.loss), wrong(logits_BC, labels), features_BD, rank, one_B)


@cache
def abstract(shape: Shape) -> State:
    """The state at rest as shapes and types, without values."""
    params = jax.eval_shape(shape.model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape.images, jnp.float32))
    moments = jax.eval_shape(direction(shape.optimizer).init, params)
    return State(jax.ShapeDtypeStruct((), jnp.int32), params, moments)


def zeros(shape: Shape) -> State:
    """A state at rest of nothing but zeros, in the memory of this process."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), abstract(shape))
