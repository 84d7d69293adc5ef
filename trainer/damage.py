"""Pictures that are damaged, found before the first step where that is quick, and said together."""

from collections.abc import Sequence
from typing import Any

from scalectl.trainer import pictures
from scalectl.trainer.pictures import BadImage

SAID = 5  # at most, one by one
ENDS = {  # how pictures begin, and how the same ones end
    b"\xff\xd8\xff": b"\xff\xd9",  # JPEG: SOI and a marker, EOI
    b"\x89PNG\r\n\x1a\n": b"IEND\xaeB`\x82",  # the chunk IEND with its checksum
}


def damage(encoded: Any) -> str:
    """Return why a picture can't be decoded, or nothing.

    One that begins and ends as a JPEG or a PNG does is taken for sound, any other is decoded to see; what is wrong in
    the middle is found when the picture is needed.
    """
    if not encoded:
        return "no image"
    ends = memoryview(encoded)
    first, last = bytes(ends[:8]), bytes(ends[-8:])
    if any(first.startswith(begin) and last.endswith(end) for begin, end in ENDS.items()):
        return ""
    try:
        pictures.middle(pictures.opened(encoded), 1, 1)
    except BadImage as error:
        return str(error)
    return ""


def refuse(damaged: Sequence[str]) -> None:
    """Raise BadImage that names the first few of these, if there are any."""
    if damaged:
        more = len(damaged) - SAID
        raise BadImage("; ".join([*damaged[:SAID], *([f"and {more:,} more"] if more > 0 else [])]))
