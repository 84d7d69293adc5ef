"""The images of parquet files at random: unpacked once into a file of the user's cache that is mapped into memory.

A row of a parquet file can't be had without its whole row group; here it can, by all processes of a machine together.
"""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc
from pyarrow.parquet import ParquetFile

from scalectl.trainer import cache, labels, parquet
from scalectl.trainer.buckets import opened
from scalectl.trainer.damage import damage, refuse
from scalectl.trainer.files import Contents, Unreadable, remote

ROWS = 256  # of one batch of the unpacked file


class Unpacked:
    """Encoded images by number, and all labels."""

    def __init__(self, file: Path) -> None:
        reader = ipc.open_file(pa.memory_map(str(file)))
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._images = [batch.column("image") for batch in batches]
        self._ends = list(accumulate(len(images) for images in self._images))
        self.labels = labels.from_arrow(pa.chunked_array([batch.column("label") for batch in batches]))

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image, or None."""
        batch = bisect_right(self._ends, row)
        return self._images[batch][row - self._ends[batch]].as_buffer()  # from the end of the batch


def unpacked(path: str, content: str) -> Unpacked:
    """Return the images of the parquet files at `path`, whose contents have the hash `content`.

    Raises Unreadable, or BadImage where pictures are damaged.
    """
    file = cache.folder() / f"{content}.arrow"
    if not file.exists():
        found = parquet.contents(path)
        if found.digest != content:
            raise Unreadable(f"{path}: the files have changed since the study was planned")
        _unpack(found, file)
    return Unpacked(file)


def _unpack(found: Contents, file: Path) -> None:
    """Write all images and labels, unless a picture is damaged."""
    schema = pa.schema([("image", pa.binary()), ("label", labels.arrow_type(several=found.several_labels))])
    with cache.appearing(file) as beside:
        with pa.OSFile(beside, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for source in found.files:
                for batch in _batches(source, schema):
                    writer.write_batch(batch)
        images = Unpacked(Path(beside))
        every = ((row, damage(images.encoded(row))) for row in range(found.num_images))
        refuse([f"{found.place(row)}: {why}" for row, why in every if why])


def _batches(file: str, schema: pa.Schema) -> Any:
    """Yield the encoded images and labels of a parquet file; raises Unreadable."""
    try:
        with opened(file) as source, ParquetFile(source, pre_buffer=remote(file)) as table:
            label = parquet.label_column(table.schema_arrow)
            for batch in table.iter_batches(ROWS, columns=["image.bytes", label]):
                nested = "image" in batch.schema.names
                images = pc.struct_field(batch.column("image"), "bytes") if nested else batch.column("image.bytes")
                columns = [images.cast(pa.binary()), batch.column(label).cast(schema.field("label").type)]
                yield pa.record_batch(columns, schema=schema)
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error
