"""Encoded pictures to squares of pixels: decoding, resizing and cropping, one at a time; and damage, found early."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

MAX_LISTED = 5  # damaged pictures of one message
SIGNATURES = {  # how pictures begin, and how the same ones end
    b"\xff\xd8\xff": b"\xff\xd9",  # JPEG: SOI and a marker, EOI
    b"\x89PNG\r\n\x1a\n": b"IEND\xaeB`\x82",  # the chunk IEND with its checksum
}


class BadImage(ValueError):  # noqa: N818 - what is wrong lies in the picture
    """A picture that cannot be decoded; the message says why, and which one where that is known."""


Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the picture


def opened(encoded: Any) -> Image.Image:
    """A picture whose pixels are not decoded yet, from its bytes; raises BadImage."""
    if not encoded:
        raise BadImage("no image")
    try:
        return Image.open(io.BytesIO(encoded))
    except Exception as error:  # decoders raise all kinds on damaged input
        raise BadImage(_reason(error)) from error


def middle(image: Image.Image, side: int, resize: int) -> np.ndarray:
    """The central square (side, side, 3) of a picture whose smaller side was resized to `resize` pixels."""
    scale = min(image.size) / resize
    width, height = image.size
    left, top = (width - side * scale) / 2, (height - side * scale) / 2
    return _square(image, (left, top, left + side * scale, top + side * scale), side)


def crop(image: Image.Image, box: Box, side: int) -> np.ndarray:
    """A part of a picture, resized to a square (side, side, 3)."""
    return _square(image, box, side)


def _square(image: Image.Image, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """A part of a picture as a square of colours; JPEG decodes no more detail than that needs."""
    width, height = image.size
    try:
        needed = (int(width * side / (box[2] - box[0])), int(height * side / (box[3] - box[1])))
        if 2 * needed[0] <= width and 2 * needed[1] <= height:
            image.draft("RGB", needed)  # a picture that is no JPEG stays as it is
        across, down = image.size[0] / width, image.size[1] / height
        part = (box[0] * across, box[1] * down, min(box[2] * across, image.size[0]), min(box[3] * down, image.size[1]))
        colours = image if image.mode == "RGB" else image.convert("RGB")
        if part != (0, 0, side, side) or colours.size != (side, side):
            colours = colours.resize((side, side), Image.Resampling.BILINEAR, box=part)
        return np.asarray(colours)
    except Exception as error:  # decoders raise all kinds on damaged input
        raise BadImage(_reason(error)) from error


def _reason(error: Exception) -> str:
    """A decoder's message, without the address of the object that it read from."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a picture"
    return str(error) or type(error).__name__


def in_range(colours: np.ndarray) -> np.ndarray:
    """Bytes as numbers from -1 to 1."""
    return colours.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def damage(encoded: Any) -> str:
    """The reason why a picture can't be decoded, empty if it can.

    One that begins and ends as a JPEG or a PNG does is taken for sound, any other is decoded to see; what is wrong in
    the middle is noticed when the picture is needed.
    """
    if not encoded:
        return "no image"
    view = memoryview(encoded)
    first, last = bytes(view[:8]), bytes(view[-8:])
    if any(first.startswith(begin) and last.endswith(end) for begin, end in SIGNATURES.items()):
        return ""
    try:
        middle(opened(encoded), 1, 1)
    except BadImage as error:
        return str(error)
    return ""


def refuse(damaged: Sequence[str]) -> None:
    """Raise BadImage that names the first few damaged pictures, if there are any."""
    if not damaged:
        return
    listed = list(damaged[:MAX_LISTED])
    if len(damaged) > MAX_LISTED:
        listed.append(f"and {len(damaged) - MAX_LISTED:,} more")
    raise BadImage("; ".join(listed))
