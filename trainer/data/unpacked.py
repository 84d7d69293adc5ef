"""A copy of pictures and labels in the user's cache, mapped into memory, from which any picture can be had."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from scalectl.trainer import cache
from scalectl.trainer.data import labels
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.hashes import keep, picture_hash
from scalectl.trainer.data.headers import damage, refuse

Batches = Iterable[tuple[Any, Any]]  # arrays of encoded pictures, and of their labels

BATCH_ROWS = 256  # of one batch of the file


class Unpacked:
    """Encoded images by number, and all labels, in an unpacked file."""

    def __init__(self, file: Path) -> None:
        reader = ipc.open_file(pa.memory_map(str(file)))
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._images = [batch.column("image") for batch in batches]
        self._ends = list(accumulate(len(images) for images in self._images))
        self.labels = labels.from_arrow(pa.chunked_array([batch.column("label") for batch in batches]))

    def encoded(self, row: int) -> Any:
        """The bytes of an image, or None."""
        batch = bisect_right(self._ends, row)
        return self._images[batch][row - self._ends[batch]].as_buffer()  # from the end of the batch


def unpacked(
    digest: str,
    contents: Callable[[], Contents],
    batches: Callable[[Contents], Batches],
    size: Callable[[Contents], int],
) -> Unpacked:
    """The images of contents with this hash, written first from batches of them unless they are there already.

    `size` tells the bytes that they should take. Raises BadImage where pictures are damaged, and Unreadable where the
    disk has no place for them.
    """
    file = cache.folder() / f"{digest}.arrow"
    if not file.exists():
        planned = contents()
        _fits(size(planned), file, planned.files[0])
        _write(planned, batches(planned), file)
    return Unpacked(file)


def _fits(needed: int, file: Path, source: str) -> None:
    """Raise Unreadable where so many bytes have no place on the disk of a file, and name what they come from."""
    free = cache.free(file)
    if needed > free:
        space = f"{needed / 1e9:,.3f} GB and {file.parent} has {max(free, 0) / 1e9:,.3f} GB to spare"
        raise Unreadable(f"{source}: unpacking takes {space}: set XDG_CACHE_HOME to a folder on a larger disk")


def _write(contents: Contents, batches: Batches, file: Path) -> None:
    """Write all images and labels, unless a picture is damaged."""
    schema = pa.schema([("image", pa.binary()), ("label", labels.arrow_type(several=contents.several_labels))])
    with cache.appearing(file) as part:
        with pa.OSFile(part, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for pictures, classes in batches:
                batch = pa.record_batch([pictures, classes.cast(schema.field("label").type)], schema=schema)
                _fits(batch.nbytes, file, contents.files[0])  # a footer may say less than there is
                writer.write_batch(batch)
        images, damaged, known = Unpacked(Path(part)), [], []
        for row in range(contents.num_images):
            picture = images.encoded(row)
            known.append(picture_hash(picture))
            if reason := damage(picture):
                damaged.append(f"{contents.locate(row)}: {reason}")
        refuse(damaged)
        keep(contents.digest, known)
