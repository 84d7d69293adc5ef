"""Grey pictures of more than 8 bits, scaled to 8 by what their files declare, or by the range that a study gives."""

import numpy as np
from PIL import Image

from scalectl.trainer.data.headers import BadImage, Picture

BITS, PHOTOMETRIC, LARGEST = 258, 262, 281  # tags of TIFF: BitsPerSample, PhotometricInterpretation, MaxSampleValue
WHITE_IS_ZERO = 0


def grey(picture: Picture) -> Image.Image:
    """A picture in grey of 8 bits (mode L, or LA where one level is transparent).

    Without a range, a value of n bits becomes its highest 8 bits, as Pillow has it for colours of 16 bits; with one,
    its place in the range, rounded to the nearest of 256 levels. Raises BadImage.
    """
    image, decoding = picture.image, picture.decoding
    scale = _scale(image)  # which is known before its pixels are
    values = np.asarray(image)
    if decoding.has_range:
        black, white = (value * scale for value in (decoding.black, decoding.white))
        if np.isnan(values).any():
            raise BadImage("a value is not a number")
        shares = (values.astype(np.float64) - black) / (white - black)
        levels = np.rint(255 * np.clip(shares, 0, 1))
    elif picture.is_bounded:
        levels = np.minimum(values.astype(np.int64) * 256 // (_white(picture, values) + 1), 255)
    else:
        raise BadImage(_refusal(image))
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:  # type: ignore[attr-defined]
        levels = 255 - levels  # Pillow does so for 8 bits alone
    shown = Image.fromarray(levels.astype(np.uint8))
    if "transparency" not in image.info:
        return shown
    alpha = Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8))
    return Image.merge("LA", (shown, alpha))


def shallow(image: Image.Image) -> None:
    """Raise BadImage where colours of fewer than 16 bits lie in 16: of these Pillow takes the highest 8."""
    if image.format != "TIFF":
        return
    bits, largest = image.tag_v2.get(BITS, (8,))[0], image.tag_v2.get(LARGEST)  # type: ignore[attr-defined]
    if bits == 16 and largest is not None and _first(largest) < 2**15:
        raise BadImage(f"colours up to {int(_first(largest)):,} in 16 bits would be dark: convert it to 8 bits")


def _refusal(image: Image.Image) -> str:
    kind = {"F": "floats", "I": "whole numbers of 32 bits or with a sign"}[image.mode]
    return f"grey levels that are {kind} (mode {image.mode}), and the file doesn't say which is white: give data.range"


def _white(picture: Picture, values: np.ndarray) -> int:
    """The value that is white in a picture of 16 bits, as its file declares it."""
    image = picture.image
    if image.format == "TIFF":
        declared = image.tag_v2.get(LARGEST)  # type: ignore[attr-defined]
        if declared is not None:
            return int(_first(declared))
        return int(2 ** image.tag_v2.get(BITS, (16,))[0]) - 1  # type: ignore[attr-defined]
    if 8 <= picture.significant < 16 and _unshifted(values.astype(np.int64), picture.significant):
        return int(2**picture.significant) - 1
    return 65535


def _unshifted(values: np.ndarray, bits: int) -> bool:
    """Whether the samples of a PNG are numbers of so many bits, instead of such numbers scaled up to 16.

    PNG has them scaled up, so that their lowest bits repeat the highest, or are 0 or rounded. Where no sample is
    larger than `bits` can say, and the lowest are in use all the same, they can't have been.
    """
    lowest = values & (2 ** (16 - bits) - 1)
    return bool(values.max() < 2**bits and (lowest > 1).any())


def _scale(image: Image.Image) -> float:
    """What Pillow multiplies the values of a picture by when it decodes it: those of PGM, to fill 16 bits."""
    if image.format != "PPM":
        return 1.0
    declared = image.tile[0].args  # type: ignore[attr-defined]
    if isinstance(declared, tuple) and image.mode == "I":
        return 65535 / int(declared[-1])
    return 1.0


def _first(value: object) -> float:
    """The value of a tag, or the first where there is one for each channel."""
    if isinstance(value, tuple):
        return float(value[0])
    return float(value)  # type: ignore[arg-type]
