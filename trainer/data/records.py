"""Files of records, each a tf.train.Example with an encoded picture: what planning knows of them, and any record."""

import hashlib
import mmap
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Protocol

from scalectl.trainer.data import tf_example
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.tf_example import BadRecord
from scalectl.trainer.selection import Selection

SAMPLED_BYTES = 2**24  # of images that are looked at for planning
READ_TOGETHER = 256  # records of one read when all are read
BLOCK = 2**16  # bytes; an ArrayRecord file ends with a block that says where its footer begins
MAGIC = bytes.fromhex("10dec0ebfe84cec3c971")  # field 2 of that RiegeliPostscript; field 1 before it is the offset


class Shard(Protocol):
    """A file of records."""

    def record(self, key: int) -> Any:
        """The bytes of the record with a key; raises BadRecord."""

    def records(self) -> Iterator[tuple[int, Any]]:
        """Yield the key and the bytes of each record in order; raises BadRecord."""


def shard(file: str) -> Shard:
    """The records of a file, TFRecord where its name says so, else ArrayRecord; raises Unreadable."""
    if ".tfrecord" in Path(file).name:
        return TFRecords(file)
    return ArrayRecords(file)


class ArrayRecords:
    """The records of an ArrayRecord file, whose keys are their numbers; damage anywhere in one is noticed."""

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

    def record(self, key: int) -> bytes:
        """A record by its number; raises BadRecord."""
        try:
            return self._reader.read([key])[0]
        except RuntimeError as error:
            raise BadRecord(str(error).partition("; ")[0]) from error

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the bytes of each record; raises BadRecord."""
        for start in range(0, len(self), READ_TOGETHER):
            stop = min(start + READ_TOGETHER, len(self))
            try:
                records = self._reader.read(start, stop)
            except RuntimeError:  # of one of them
                records = map(self.record, range(start, stop))
            yield from enumerate(records, start)


class TFRecords:
    """The records of a TFRecord file, whose keys are offsets: a length (8), its checksum (4), the record, another (4).

    The checksums are not looked at.
    """

    def __init__(self, file: str) -> None:
        with Path(file).open("rb") as stream:
            self._bytes = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    def record(self, key: int) -> memoryview:
        """The record whose length stands at an offset; raises BadRecord."""
        length = int.from_bytes(self._bytes[key : key + 8], "little")
        if key + length + 16 > len(self._bytes):
            raise BadRecord("cut off")
        return self._bytes[key + 12 : key + 12 + length]

    def records(self) -> Iterator[tuple[int, memoryview]]:
        """Yield the offset and the bytes of each record; raises BadRecord."""
        offset = 0
        while offset < len(self._bytes):
            record = self.record(offset)
            yield offset, record
            offset += len(record) + 16


def contents(
    files: Sequence[str], counts: Sequence[int], selection: Selection, classes: Sequence[str] = (), num_classes: int = 0
) -> Contents:
    """What is in files of so many records, from their sizes and ends and one record; raises Unreadable.

    Class names and their number are those that the data set tells beside its records.
    """
    digest = hashlib.sha256()
    for file, count in zip(files, counts, strict=True):
        digest.update(f"{Path(file).stat().st_size} {count} {hashlib.sha256(_end(file)).hexdigest()}\n".encode())
    first = next(file for file, count in zip(files, counts, strict=True) if count)
    image, label, spelled = _features(first, selection)
    digest.update(spelled.encode())
    return Contents(
        tuple(files),
        tuple(counts),
        num_classes or None,
        None,
        digest.hexdigest()[:12],
        classes=tuple(classes),
        several_labels=label == "labels",
        columns=(image, label),
    )


def _features(file: str, selection: Selection) -> tuple[str, str, str]:
    """The names of the features of pictures and labels in a file's first record, and as the hash of the files has them.

    The hash never had those that are read where a study names none. Raises Unreadable.
    """
    try:
        found = tf_example.features(next(shard(file).records())[1])
        numbers = tf_example.whole_numbers(found.get("label", memoryview(b"")))
    except BadRecord as error:
        raise Unreadable(f"{file}, row 0: {error}") from error
    image = selection.image or "image"
    label = selection.label or ("label" if "label" in found else "labels")
    if not {image, label} <= set(found):
        needed = f"{image}, and {selection.label or 'label or labels'}"
        raise Unreadable(f"{file}: features {', '.join(sorted(found))}; needed are {needed}; data.columns names others")
    usual = ("image", "label" if len(numbers) == 1 else "labels")  # a label of several numbers is refused
    return image, label, "" if (image, label) == usual else f"columns {image} {label}"


SAMPLED_FILES = 16  # of which records are looked at for planning


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """None: labels can't be had without the pictures beside them."""
    return None


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each image, up to a record that is damaged; raises Unreadable."""
    for file in contents.files:
        yield from _images(file, contents.columns[0])


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of the first few images of some files; nothing for bytes where one is damaged."""
    starts = list(accumulate(contents.counts, initial=0))[:-1]
    files = [number for number, count in enumerate(contents.counts) if count]
    chosen = [files[len(files) * place // SAMPLED_FILES] for place in range(SAMPLED_FILES)]
    for number in dict.fromkeys(chosen):  # those of few files come several times
        space = SAMPLED_BYTES // SAMPLED_FILES
        images = islice(_images(contents.files[number], contents.columns[0]), max(1, most // len(set(chosen))))
        for place, image in enumerate(images):
            space -= len(image)
            if place and space < 0:
                break
            yield starts[number] + place, image


def _images(file: str, name: str) -> Iterator[Any]:
    """Yield the bytes of the feature of images in a file, read one by one, up to a record that is damaged."""
    records = shard(file)
    several: Iterator[Any] = (record for _, record in records.records())
    if isinstance(records, ArrayRecords):
        several = map(records.record, range(len(records)))
    try:
        for record in several:
            yield tf_example.one_bytes(tf_example.features(record).get(name, memoryview(b""))) or b""
    except BadRecord:  # which the first job names
        return


def _end(file: str) -> bytes:
    """The footer of an ArrayRecord file, which has the size of each record, or the last bytes of another."""
    with Path(file).open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - BLOCK))
        block = stream.read()
        postscript = re.search(rb"\x08([\x80-\xff]*[\x00-\x7f])" + re.escape(MAGIC), block[:256])
        if not postscript:
            return block
        offset = sum((byte & 127) << 7 * number for number, byte in enumerate(postscript[1]))
        stream.seek(min(offset, size))
        return stream.read()
