"""Files of records, each a tf.train.Example with an encoded picture: what planning knows of them, and any record."""

import hashlib
import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from scalectl.trainer import example
from scalectl.trainer.example import BadRecord
from scalectl.trainer.files import Contents, Unreadable

AT_ONCE = 256  # records of one read when all are read
BLOCK = 2**16  # bytes; an ArrayRecord file ends with a block that says where its footer begins
MAGIC = bytes.fromhex("10dec0ebfe84cec3c971")  # field 2 of that RiegeliPostscript; field 1 before it is the place


class Shard(Protocol):
    """A file of records."""

    def record(self, at: int) -> Any:
        """Return the bytes of the record at a place; raises BadRecord."""

    def records(self) -> Iterator[tuple[int, Any]]:
        """Yield the place and the bytes of each record in order; raises BadRecord."""


def shard(file: str) -> Shard:
    """Return the records of a file, TFRecord where its name says so, else ArrayRecord; raises Unreadable."""
    return TFRecords(file) if ".tfrecord" in Path(file).name else ArrayRecords(file)


class ArrayRecords:
    """The records of an ArrayRecord file, whose places are their numbers; damage anywhere in one is noticed."""

    def __init__(self, file: str) -> None:
        try:
            from array_record.python.array_record_module import ArrayRecordReader
        except ImportError as error:
            raise Unreadable(f"{file}: reading it needs the package array-record, which Windows has none of") from error
        options = "readahead_buffer_size:0,max_parallelism:0"
        self._reader = ArrayRecordReader(file, options=options, file_reader_buffer_size=32768)
        if not self._reader.ok():
            raise Unreadable(f"{file}: not an ArrayRecord file")

    def __len__(self) -> int:
        return self._reader.num_records()

    def record(self, at: int) -> bytes:
        """Return a record by its number; raises BadRecord."""
        try:
            return self._reader.read([at])[0]
        except RuntimeError as error:
            raise BadRecord(str(error).partition("; ")[0]) from error

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the bytes of each record; raises BadRecord."""
        for start in range(0, len(self), AT_ONCE):
            stop = min(start + AT_ONCE, len(self))
            try:
                found = self._reader.read(start, stop)
            except RuntimeError:  # of one of them
                found = (self.record(at) for at in range(start, stop))
            yield from enumerate(found, start)


class TFRecords:
    """The records of a TFRecord file, whose places are bytes: a length (8), its checksum (4), the record, another (4).

    The checksums are not looked at.
    """

    def __init__(self, file: str) -> None:
        with Path(file).open("rb") as opened:
            self._bytes = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))

    def record(self, at: int) -> memoryview:
        """Return the record whose length stands at a place; raises BadRecord."""
        length = int.from_bytes(self._bytes[at : at + 8], "little")
        if at + length + 16 > len(self._bytes):
            raise BadRecord("cut off")
        return self._bytes[at + 12 : at + 12 + length]

    def records(self) -> Iterator[tuple[int, memoryview]]:
        """Yield the place and the bytes of each record; raises BadRecord."""
        at = 0
        while at < len(self._bytes):
            found = self.record(at)
            yield at, found
            at += len(found) + 16


def contents(files: Sequence[str], counts: Sequence[int], num_classes: int | None = None) -> Contents:
    """Return what is in files of so many records, from their sizes and ends and one record; raises Unreadable."""
    whole = hashlib.sha256()
    for file, count in zip(files, counts, strict=True):
        whole.update(f"{Path(file).stat().st_size} {count} {hashlib.sha256(_end(file)).hexdigest()}\n".encode())
    named = _named(next(file for file, count in zip(files, counts, strict=True) if count))
    digest = whole.hexdigest()[:12]
    return Contents(tuple(files), tuple(counts), num_classes, None, digest, several_labels="label" not in named)


def _named(file: str) -> set[str]:
    """Return the names of the features of a file's first record."""
    try:
        named = set(example.features(next(shard(file).records())[1]))
    except BadRecord as error:
        raise Unreadable(f"{file}, row 0: {error}") from error
    if "image" not in named or not named & {"label", "labels"}:
        raise Unreadable(f"{file}: features {', '.join(sorted(named))}; needed are image, and label or labels")
    return named


def _end(file: str) -> bytes:
    """Return the footer of an ArrayRecord file, which has the size of each record, or the last bytes of another."""
    with Path(file).open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(max(0, size - BLOCK))
        last = opened.read()
        if found := re.search(rb"\x08([\x80-\xff]*[\x00-\x7f])" + re.escape(MAGIC), last[:256]):
            place = sum((byte & 127) << 7 * i for i, byte in enumerate(found[1]))
            opened.seek(min(place, size))
            return opened.read()
        return last
