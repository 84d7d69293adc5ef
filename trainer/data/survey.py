"""What planning sees of the pictures of a source: the headers of up to a thousand, looked at once in a process."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scalectl.trainer.data.decoding import Decoding
from scalectl.trainer.data.registry import Part

LOOKED_AT = 1000  # pictures at most
UNBOUNDED = Decoding(max_pixels=2**63)


@dataclass(frozen=True)
class Survey:
    """What the headers of some pictures say; places are of the form `file, row`."""

    looked_at: int
    sizes: tuple[tuple[tuple[int, int], int], ...]  # width, height and number of pictures, the most frequent first
    turned: int  # whose EXIF data say that they have to be turned
    transparent: int
    deep: int  # in grey of more than 8 bits
    unbounded: str  # the place of one in grey whose file doesn't say which value is white
    largest: str  # the place of the one with the most pixels
    damaged: tuple[str, ...]  # places and reasons

    @property
    def smallest_size(self) -> tuple[int, int]:
        """Width and height of the picture with the fewest pixels."""
        return min((size for size, _ in self.sizes), key=_area)

    @property
    def largest_size(self) -> tuple[int, int]:
        """Width and height of the picture with the most pixels."""
        return max((size for size, _ in self.sizes), key=_area)


def survey(part: Part) -> Survey:
    """What some pictures of the files of a source are like; raises Unreadable."""
    return _survey(part, part.contents().digest)


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


@lru_cache(maxsize=16)
def _survey(part: Part, digest: str) -> Survey:
    locate = part.contents().expect(digest, part.path).locate
    damaged: list[str] = []
    pictures = list(_headers(part.samples(LOOKED_AT), locate, damaged))
    sizes = Counter(picture.size for _, picture in pictures)
    largest = max(pictures, key=lambda pair: _area(pair[1].size), default=None)
    return Survey(
        looked_at=len(pictures) + len(damaged),
        sizes=tuple(sizes.most_common()),
        turned=sum(picture.turn is not None for _, picture in pictures),
        transparent=sum(picture.is_transparent for _, picture in pictures),
        deep=sum(picture.is_deep for _, picture in pictures),
        unbounded=next((locate(row) for row, picture in pictures if picture.is_deep and not picture.is_bounded), ""),
        largest=locate(largest[0]) if largest else "",
        damaged=tuple(damaged),
    )


def _headers(
    samples: Iterator[tuple[int, Any]], locate: Callable[[int], str], damaged: list[str]
) -> Iterator[tuple[int, Any]]:
    """Yield the number and the opened picture of images; what is wrong with others is added to `damaged`."""
    from scalectl.trainer.data.headers import BadImage, damage, opened  # Pillow, which studies without files don't need

    for row, encoded in samples:
        try:
            picture = opened(encoded, UNBOUNDED)
        except BadImage as error:
            damaged.append(f"{locate(row)}: {error}")
            continue
        reason = ""
        if picture.image.format in ("JPEG", "PNG"):  # whose ends tell without decoding
            reason = damage(encoded)
        if reason:
            damaged.append(f"{locate(row)}: {reason}")
        else:
            yield row, picture
