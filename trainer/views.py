"""What a step sees of images that came as bytes, computed on the device: crops, shifts, mirrors, numbers from -1 to 1.

Without crops the numbers are those of `trainer.data.augment` and `trainer.data.pictures` in every bit.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalectl.trainer.data import pictures
from scalectl.trainer.data.colours import Colours

Array = jax.Array


def seen(images: Any, side: int) -> Array:
    """Images (B, side, side, C) from -1 to 1, of bytes or as they are."""
    if not isinstance(images, Colours):
        return jnp.asarray(images)
    colours = images.pixels
    if images.boxes is not None:
        colours = cropped(colours, images.boxes, side)
    if images.shifts is not None:
        colours = jax.vmap(shifted)(colours, images.shifts)
    if images.mirrored is not None:
        colours = jnp.where(images.mirrored[:, None, None, None], colours[:, :, ::-1], colours)
    return in_range(colours)


def in_range(colours: Array) -> Array:
    """Numbers from 0 to 255 as numbers from -1 to 1; bytes have the bits that NumPy gives on the host."""
    if colours.dtype != jnp.uint8:
        return _scaled(colours)
    return jax.lax.platform_dependent(colours, tpu=_scaled, default=_looked_up)


def _scaled(colours: Array) -> Array:
    return colours.astype(jnp.float32) / 127.5 - 1.0


def _looked_up(colours: Array) -> Array:
    """Colours by a table: XLA's arithmetic rounds otherwise than NumPy's. A TPU would be slow to look them up."""
    return jnp.asarray(pictures.in_range(np.arange(256)))[colours]


def shifted(colours: Array, shift: Array) -> Array:
    """An image (H, W, C) translated by `shift` pixels down and right; what comes into view is 0."""
    for axis in (0, 1):
        places = jnp.arange(colours.shape[axis]) + shift[axis]
        inside = (places >= 0) & (places < colours.shape[axis])
        kept = jnp.expand_dims(inside, (1 - axis, 2))
        colours = jnp.where(kept, jnp.take(colours, places, axis, mode="clip"), 0)
    return colours


def cropped(colours: Array, boxes: Array, side: int) -> Array:
    """Parts of images (B, N, N, C), each resized to a square of `side` pixels, as numbers from 0 to 255.

    Bilinear, and smoothed where it makes a part smaller, as Pillow does it.
    """
    down = jax.vmap(lambda box: weights(box[1], box[3], colours.shape[1], side))(boxes)
    right = jax.vmap(lambda box: weights(box[0], box[2], colours.shape[2], side))(boxes)
    exact = jax.lax.Precision.HIGHEST
    rows = jnp.einsum("byi,bijc->byjc", down, colours.astype(jnp.float32), precision=exact)
    return jnp.einsum("bxj,byjc->byxc", right, rows, precision=exact)


def weights(begin: Array, end: Array, size: int, side: int) -> Array:
    """What each of `size` pixels adds to each of `side` that a stretch of them is resized to (side, size)."""
    scale = (end - begin) / side
    reach = jnp.maximum(scale, 1.0)
    centres = begin + (jnp.arange(side)[:, None] + 0.5) * scale
    distances = jnp.abs(jnp.arange(size)[None] + 0.5 - centres) / reach
    shares = jnp.maximum(0.0, 1.0 - distances)
    return shares / shares.sum(axis=1, keepdims=True)
