"""Encoded pictures to squares of pixels: decoding, resizing and cropping, one at a time."""

import numpy as np
from PIL import Image

from scalectl.trainer.data.headers import SIDEWAYS, BadImage, Picture, opened, reason
from scalectl.trainer.data.levels import grey, shallow

__all__ = ["BadImage", "Picture", "crop", "in_range", "middle", "opened"]

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the picture
OPAQUE = 255
BACKGROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}


def middle(picture: Picture, side: int, resize: int) -> np.ndarray:
    """The central square (side, side, 3) of a picture whose smaller side was resized to `resize` pixels."""
    width, height = picture.size
    scale = min(width, height) / resize
    left, top = (max(0.0, (length - side * scale) / 2) for length in (width, height))  # rounding may be below 0
    return _square(picture, (left, top, left + side * scale, top + side * scale), side)


def crop(picture: Picture, box: Box, side: int) -> np.ndarray:
    """A part of a picture, resized to a square (side, side, 3)."""
    return _square(picture, box, side)


def _square(picture: Picture, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """A part of a picture as a square of colours; JPEG decodes no more detail than that needs."""
    width, height = picture.size
    try:
        needed = (int(width * side / (box[2] - box[0])), int(height * side / (box[3] - box[1])))
        if 2 * needed[0] <= width and 2 * needed[1] <= height:
            if picture.turn in SIDEWAYS:
                needed = needed[::-1]
            picture.image.draft("RGB", needed)  # a picture that is no JPEG stays as it is
        colours = _colours(picture)
        if picture.turn is not None:
            colours = colours.transpose(picture.turn)
        across, down = colours.size[0] / width, colours.size[1] / height
        part = (
            box[0] * across,
            box[1] * down,
            min(box[2] * across, colours.size[0]),
            min(box[3] * down, colours.size[1]),
        )
        if part != (0, 0, side, side) or colours.size != (side, side):
            colours = colours.resize((side, side), Image.Resampling.BILINEAR, box=part)
        return np.asarray(colours)
    except BadImage:
        raise
    except Exception as error:  # decoders raise all kinds on damaged input
        raise BadImage(reason(error)) from error


def _colours(picture: Picture) -> Image.Image:
    """The decoded picture in RGB, of 8 bits, on its background; raises BadImage."""
    image, background = picture.image, picture.decoding.background
    if picture.is_deep:
        image = grey(picture)
    else:
        shallow(image)
    unforeseen = "background" in picture.decoding.left_open
    if not image.has_transparency_data or (background == "none" and not unforeseen):
        if image.mode == "RGB":
            return image
        return image.convert("RGB")
    shown = image.convert("RGBA")
    if unforeseen:
        if shown.getchannel("A").getextrema() != (OPAQUE, OPAQUE):
            raise BadImage("transparent, as none that planning looked at is: set data.background")
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, BACKGROUNDS[background])
    return Image.alpha_composite(behind, shown).convert("RGB")


def in_range(colours: np.ndarray) -> np.ndarray:
    """Bytes as numbers from -1 to 1."""
    return colours.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
