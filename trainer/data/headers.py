"""Pictures that are opened and not decoded yet: format, size and orientation, within bounds; and damage, found early.

Without NumPy, so that planning can look at some.
"""

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from typing import Any

from PIL import Image
from PIL.ExifTags import Base

from scalectl.trainer.data.decoding import MAX_ENCODED, Decoding
from scalectl.trainer.data.endings import FORMATS
from scalectl.trainer.data.facts import POINTER, POINTS
from scalectl.trainer.spec import MAX_PIXELS

MAX_LISTED = 5  # damaged pictures of one message
PNG_END = 2**16  # bytes in which EXIF data that come after the pixels are looked for
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURES = {  # how pictures begin, and how the same ones end
    b"\xff\xd8\xff": b"\xff\xd9",  # JPEG: SOI and a marker, EOI
    PNG: b"IEND\xaeB`\x82",  # the chunk IEND with its checksum
}
TURNS = {  # by the value of EXIF's tag Orientation: how the stored picture is put upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {TURNS[number] for number in (5, 6, 7, 8)}
DEFAULTS = Decoding()

_OPENING = threading.Lock()  # while Pillow's own bound, one for the whole process, is lifted


class BadImage(ValueError):  # noqa: N818 - what is wrong lies in the picture
    """A picture that cannot be decoded; the message says why, and which one where that is known."""


@dataclass(frozen=True)
class Picture:
    """A picture whose pixels are not decoded yet."""

    image: Image.Image
    turn: Image.Transpose | None = None  # what puts it upright
    decoding: Decoding = DEFAULTS
    significant: int = 0  # bits of a sample that a PNG says are its own; 0 where it says nothing

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        width, height = self.image.size
        if self.turn in SIDEWAYS:
            return height, width
        return width, height

    @property
    def is_transparent(self) -> bool:
        """Whether the background can be seen through it."""
        return self.image.has_transparency_data

    @property
    def is_deep(self) -> bool:
        """Whether it is grey with more than 8 bits a pixel."""
        return self.image.mode == "F" or self.image.mode.startswith("I")

    @property
    def is_bounded(self) -> bool:
        """Whether its format says which value is white: 16 bits do, 32 bits and floats don't."""
        return self.image.mode.startswith("I;16") or (self.image.mode == "I" and self.image.format in ("PNG", "PPM"))


def opened(encoded: Any, decoding: Decoding = DEFAULTS) -> Picture:
    """A picture from its bytes; raises BadImage, also where it has more bytes or pixels than are opened."""
    if not encoded:
        raise BadImage("no image")
    bounded(len(encoded))
    try:
        image = _image(encoded)
        width, height = image.size
        if width * height > decoding.max_pixels:
            raise BadImage(
                f"{width:,} x {height:,} pixels are more than data.max_pixels, {decoding.max_pixels:,}: raise it"
            )
        turn, significant = None, 0
        if image.format == "PNG":
            significant = _significant(memoryview(encoded))
        if (decoding.orientation == "turned" or "orientation" in decoding.left_open) and _may_be_turned(image, encoded):
            turn = _turn(image)
        if turn is not None and "orientation" in decoding.left_open:
            raise BadImage("turned by its EXIF data, as none that planning looked at is: set data.orientation")
        return Picture(image, turn, decoding, significant)
    except BadImage:
        raise
    except Exception as error:  # decoders raise all kinds on damaged input
        if encoded and bytes(memoryview(encoded)[: len(POINTER)]) == POINTER:
            raise BadImage(POINTS) from error
        raise BadImage(reason(error)) from error


def bounded(size: int) -> None:
    """Raise BadImage where an encoded picture has more bytes than are opened."""
    if size > MAX_ENCODED:
        raise BadImage(f"{size:,} bytes are more than the {MAX_ENCODED:,} that one picture may have")


def _image(encoded: Any) -> Image.Image:
    """A picture of one of the formats that are opened, of any number of pixels."""
    with _OPENING:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(_stream(encoded), formats=_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _stream(encoded: Any) -> Any:
    """The bytes as a file: those that are mapped are one already, of which no more is read than is needed."""
    if isinstance(encoded, mmap):
        return encoded
    return io.BytesIO(encoded)


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are opened and that this Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _significant(encoded: memoryview) -> int:
    """The bits of a sample of a PNG that are its own, as its chunk sBIT says; 0 where there is none."""
    offset = len(PNG)
    while offset + 12 <= len(encoded):
        length, name = int.from_bytes(encoded[offset : offset + 4], "big"), bytes(encoded[offset + 4 : offset + 8])
        if name == b"sBIT" and length:
            return encoded[offset + 8]
        if name == b"IDAT":
            return 0
        offset += length + 12
    return 0


def _may_be_turned(image: Image.Image, encoded: Any) -> bool:
    """Whether EXIF data are worth reading: Pillow turns TIFF by itself, and decodes a whole PNG to look for them."""
    if image.format == "TIFF":
        return False
    if image.format != "PNG" or any("exif" in str(key).lower() or "xmp" in str(key).lower() for key in image.info):
        return True
    return b"eXIf" in bytes(memoryview(encoded)[-PNG_END:])  # after the pixels


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What puts a picture upright, as its EXIF data say; a picture with unreadable ones is taken as it is."""
    try:
        return TURNS.get(image.getexif().get(Base.Orientation, 1))
    except Exception:
        return None


def reason(error: Exception) -> str:
    """A decoder's message, without the address of the object that it read from."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a picture of a format that is read"
    return str(error) or type(error).__name__


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
        image = opened(encoded, Decoding("kept", max_pixels=2**63)).image
        if image.width * image.height <= MAX_PIXELS:  # whether a larger one is opened is for the study to say
            image.draft("RGB", (1, 1))
            image.load()
    except BadImage as error:
        return str(error)
    except Exception as error:
        return reason(error)
    return ""


def refuse(damaged: Sequence[str]) -> None:
    """Raise BadImage that names the first few damaged pictures, if there are any."""
    if not damaged:
        return
    listed = list(damaged[:MAX_LISTED])
    if len(damaged) > MAX_LISTED:
        listed.append(f"and {len(damaged) - MAX_LISTED:,} more")
    raise BadImage("; ".join(listed))
