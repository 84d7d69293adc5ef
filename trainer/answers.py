"""What a model answers on images, beside their labels: whether that is wrong, and how many classes come before them."""

import jax
import jax.numpy as jnp

Array = jax.Array


def wrong(logits_BC: Array, labels_B: Array) -> Array:
    """Whether the first answer on an image is wrong (B): not its label, or none of several (B, C)."""
    answers_B = logits_BC.argmax(axis=-1)
    if labels_B.ndim == 1:
        return answers_B != labels_B
    return jnp.take_along_axis(labels_B, answers_B[:, None], axis=1)[:, 0] == 0


def ranked(logits_BC: Array, labels_B: Array) -> Array:
    """How many classes come before the label of an image (B), or before all of several (B, C); of equals the first.

    It is 0 where the first answer is right, and below 5 where one of the first five is; C where there is no label.
    """
    classes = jnp.arange(logits_BC.shape[-1])[None]
    true_BC = labels_B != 0 if labels_B.ndim > 1 else labels_B[:, None] == classes
    label_B = jnp.where(true_BC, logits_BC, -jnp.inf).argmax(axis=-1)[:, None]
    best_B = jnp.take_along_axis(logits_BC, label_B, axis=-1)
    before_B = ((logits_BC > best_B) | ((logits_BC == best_B) & (classes < label_B))).sum(axis=-1)
    return jnp.where(true_BC.any(axis=-1), before_B, logits_BC.shape[-1])
