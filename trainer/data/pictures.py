"""Encoded pictures to squares of pixels: decoding, resizing and cropping, one picture at a time."""

import io
from typing import Any

import numpy as np
from PIL import Image


class BadImage(ValueError):  # noqa: N818 - what is wrong lies in the picture
    """A picture that cannot be decoded; the message says why, and which one where that is known."""


Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the picture


def opened(encoded: Any) -> Image.Image:
    """Return a picture whose pixels are not decoded yet, from its bytes; raises BadImage."""
    if not encoded:
        raise BadImage("no image")
    try:
        return Image.open(io.BytesIO(encoded))
    except Exception as error:  # decoders raise all kinds on damaged input
        raise BadImage(_short(error)) from error


def middle(image: Image.Image, side: int, resize: int) -> np.ndarray:
    """Return the central square (side, side, 3) of a picture whose smaller side was resized to `resize` pixels."""
    scale = min(image.size) / resize
    width, height = image.size
    left, top = (width - side * scale) / 2, (height - side * scale) / 2
    return _square(image, (left, top, left + side * scale, top + side * scale), side)


def crop(image: Image.Image, box: Box, side: int) -> np.ndarray:
    """Return a part of a picture, resized to a square (side, side, 3)."""
    return _square(image, box, side)


def _square(image: Image.Image, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """Return a part of a picture as a square of colours; JPEG decodes no more detail than that needs."""
    width, height = image.size
    try:
        wanted = (int(width * side / (box[2] - box[0])), int(height * side / (box[3] - box[1])))
        if 2 * wanted[0] <= width and 2 * wanted[1] <= height:
            image.draft("RGB", wanted)  # a picture that is no JPEG stays as it is
        across, down = image.size[0] / width, image.size[1] / height
        part = (box[0] * across, box[1] * down, min(box[2] * across, image.size[0]), min(box[3] * down, image.size[1]))
        colours = image if image.mode == "RGB" else image.convert("RGB")
        if part != (0, 0, side, side) or colours.size != (side, side):
            colours = colours.resize((side, side), Image.Resampling.BILINEAR, box=part)
        return np.asarray(colours)
    except Exception as error:  # decoders raise all kinds on damaged input
        raise BadImage(_short(error)) from error


def _short(error: Exception) -> str:
    """Return what a decoder says, without the address of the object that it read from."""
    return "not a picture" if type(error).__name__ == "UnidentifiedImageError" else str(error) or type(error).__name__


def in_range(colours: np.ndarray) -> np.ndarray:
    """Return bytes as numbers from -1 to 1."""
    return colours.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
