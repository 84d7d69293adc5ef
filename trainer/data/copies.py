"""Pictures that are equal byte for byte: counted at planning where comparing all of them is cheap, else by a job."""

from collections.abc import Iterable
from pathlib import Path

from scalectl.trainer import cache
from scalectl.trainer.counting import counted
from scalectl.trainer.data.hashes import kept, picture_hash
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.storage import remote

CHEAP = 2**26  # bytes of the files of a part that are compared at planning: those of CIFAR-10 are 57 MB


def equal_pictures(part: Part, other: Part) -> int | None:
    """The number of pictures of the second part that the first one has too; of one part, of those that come again.

    It is counted once and kept in the user's cache; None where the files are large or in a bucket, and no job has read
    them yet. Raises Unreadable.
    """
    digest, second = part.contents().digest, other.contents().digest
    counted = _counted(digest, second)
    if counted.exists():
        return int(counted.read_text())
    first, others = _hashes(part, digest), _hashes(other, second)
    if first is None or others is None:
        return None
    hashes = list(first)
    known = set(hashes)
    number = len(hashes) - len(known)
    if part != other:
        number = sum(picture in known for picture in others)
    with cache.appearing(counted) as file:
        Path(file).write_text(str(number))
    return number


def words(number: int, source: str, *, apart: bool) -> str:
    """A number of equal pictures in words: those of a test split apart from the source, or of the source alone."""
    pictures = counted(number, "picture")
    if apart:
        return f"{pictures} to evaluate on are among the training pictures of {source}, byte for byte"
    return f"{pictures} of {source} are copies of others there, byte for byte"


def newly_counted(part: Part, other: Part) -> int:
    """The number of equal pictures where nobody has counted them before; else 0. Raises Unreadable."""
    if _counted(part.contents().digest, other.contents().digest).exists():
        return 0
    return equal_pictures(part, other) or 0


def _counted(digest: str, other: str) -> Path:
    return cache.folder() / f"{digest}-{other}.copies"


def _hashes(part: Part, digest: str) -> Iterable[bytes] | None:
    """The hashes of all pictures, from the user's cache or where that is cheap; raises Unreadable."""
    if (known := kept(digest)) is not None:
        return known
    if remote(part.path) or sum(Path(file).stat().st_size for file in part.contents().files) > CHEAP:
        return None
    return map(picture_hash, part.pictures())
