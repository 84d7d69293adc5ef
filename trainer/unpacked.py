"""The images of parquet files at random: unpacked once into a file of the user's cache that is mapped into memory.

A row of a parquet file can't be had without its whole row group; here it can, by all processes of a machine together.
"""

import os
import tempfile
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc
from pyarrow.parquet import ParquetFile

from trainer import parquet
from trainer.files import Contents, Unreadable

SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.int64())])
ROWS = 256  # of one batch of the unpacked file


class Unpacked:
    """Encoded images by number, and all labels; -1 stands for one that is missing."""

    def __init__(self, file: Path) -> None:
        reader = ipc.open_file(pa.memory_map(str(file)))
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._images = [batch.column("image") for batch in batches]
        self._ends = list(accumulate(len(images) for images in self._images))
        labels = [pc.fill_null(batch.column("label"), -1).to_numpy() for batch in batches]
        self.labels = np.concatenate([np.empty(0, np.int64), *labels])

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image, or None."""
        batch = bisect_right(self._ends, row)
        return self._images[batch][row - self._ends[batch]].as_buffer()  # from the end of the batch


@lru_cache(maxsize=4)
def unpacked(path: str, content: str) -> Unpacked:
    """Return the images of the parquet files at `path`, whose contents have the hash `content`; raises Unreadable."""
    file = _cache() / f"{content}.arrow"
    if not file.exists():
        found = parquet.contents(path)
        if found.digest != content:
            raise Unreadable(f"{path}: the files have changed since the study was planned")
        _unpack(found, file)
    return Unpacked(file)


def _cache() -> Path:
    """Return the folder of unpacked images; whatever is in it can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "scalectl" / "images"


def _unpack(found: Contents, file: Path) -> None:
    """Write all images beside the file, then rename: others see all of it or none."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, beside = tempfile.mkstemp(dir=file.parent, suffix=".part")
    os.close(handle)
    try:
        with pa.OSFile(beside, "wb") as sink, ipc.new_file(sink, SCHEMA) as writer:
            for source in found.files:
                for batch in _batches(source):
                    writer.write_batch(batch)
        Path(beside).replace(file)
    finally:
        Path(beside).unlink(missing_ok=True)


def _batches(file: str) -> Any:
    """Yield the encoded images and labels of a parquet file; raises Unreadable."""
    try:
        for batch in ParquetFile(file).iter_batches(ROWS, columns=["image.bytes", "label"]):
            nested = "image" in batch.schema.names
            images = pc.struct_field(batch.column("image"), "bytes") if nested else batch.column("image.bytes")
            columns = [images.cast(pa.binary()), batch.column("label").cast(pa.int64())]
            yield pa.record_batch(columns, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error
