"""Pictures in parquet files: planning reads footers alone, and training a copy in the user's cache.

A row of a parquet file can't be had without its whole row group. So all images are unpacked once into a file that is
mapped into memory, from which any of them can be had, by all processes of a machine together.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetFile, read_metadata

from scalectl.trainer.data import columns as arrow
from scalectl.trainer.data import splits
from scalectl.trainer.data.classes import numbered
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.parquet_samples import explained, sampled
from scalectl.trainer.data.storage import listed, matching, opened, remote, root, versions
from scalectl.trainer.data.unpacked import BATCH_ROWS, Unpacked, unpacked
from scalectl.trainer.selection import Selection

CONCURRENT_FOOTERS = 16  # read at a time: a bucket takes a while to answer


def contents(path: str, selection: Selection) -> Contents:
    """What is in the parquet files at a path: a file, a folder, or a pattern such as train-*.parquet.

    The same files have the same hash on a disk and in a bucket. Raises Unreadable.
    """
    if remote(path):
        known = {file: (size, 0) for file, size in listed(path, ".parquet", "parquet")}
    else:
        files = versions(map(str, matching(path, "*.parquet", "parquet")))
        known = {file: (size, changed) for file, size, changed in files}
    groups = splits.grouped(list(known), root(path))
    split, chosen = splits.select(groups, selection.purpose, path)
    sizes = splits.sizes(groups)
    return _contents(tuple((file, *known[file]) for file in chosen), selection, split, sizes)


@lru_cache(maxsize=8)
def _contents(
    files: tuple[tuple[str, int, int], ...], selection: Selection, split: str, splits: tuple[tuple[str, int], ...]
) -> Contents:
    """The contents of files of known sizes; two that differ in a byte of a footer have other hashes."""
    digest, counts, tables = hashlib.sha256(), [], {}
    largest: int | None = -1
    with ThreadPoolExecutor(CONCURRENT_FOOTERS) as threads:
        footers = list(threads.map(_footer, *zip(*((file, size) for file, size, _ in files), strict=True)))
    for (file, size, _), (metadata, footer) in zip(files, footers, strict=True):
        digest.update(f"{size} {hashlib.sha256(footer).hexdigest()}\n".encode())
        tables[file] = arrow.columns(_schema(metadata, file), selection, file)
        counts.append(metadata.num_rows)
        if largest is not None and not tables[file].words:
            largest = _largest_label(metadata, tables[file].label, file, largest)
    table = arrow.alike(tables)
    names = table.names
    if table.words:
        every = (word for file in tables for word in _words(file, table.label))
        names = numbered(every, selection.classes, files[0][0])
        digest.update("\n".join(names).encode())
        largest = len(names) - 1
    digest.update(table.spelled.encode())
    return Contents(
        files=tuple(tables),
        counts=tuple(counts),
        num_classes=len(names) or None,
        largest=largest,
        digest=digest.hexdigest()[:12],
        several_labels=table.several,
        classes=names,
        words=table.words,
        split=split,
        splits=splits,
        columns=(table.image, table.label),
    )


def _footer(file: str, size: int) -> tuple[Any, bytes]:
    """The metadata of a file, and the bytes that it was read from; raises Unreadable."""
    with explained(file), opened(file) as stream:
        stream.seek(max(0, size - 8))
        length = int.from_bytes(stream.read(8)[:4], "little")
        stream.seek(max(0, size - 8 - length))
        footer = stream.read(length)
        return read_metadata(stream), footer


def _schema(metadata: Any, file: str) -> pa.Schema:
    with explained(file):
        return metadata.schema.to_arrow_schema()


def _largest_label(metadata: Any, label: str, file: str, largest: int) -> int | None:
    """The largest label up to this file, None where a footer doesn't tell; raises Unreadable on missing ones."""
    if not metadata.num_row_groups:
        return largest
    leaf = _leaf(metadata, label)
    first = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        statistics = group.column(leaf).statistics
        rows = f"{file}, somewhere in rows {first:,} to {first + group.num_rows - 1:,}"
        if statistics is not None and statistics.null_count:
            raise Unreadable(f"{rows}: a label is missing")
        if statistics is None or not statistics.has_min_max:
            return None
        if statistics.min < 0:
            raise Unreadable(f"{rows}: a label is {statistics.min}")
        largest, first = max(largest, int(statistics.max)), first + group.num_rows
    return largest


def _leaf(metadata: Any, column: str) -> int:
    """The number of a column among those that are no structs or lists."""
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    return next(number for number, path in enumerate(paths) if f"{path}.".startswith(f"{column}."))


def _words(file: str, label: str) -> frozenset[str]:
    """The words that are labels in a file; raises Unreadable on a missing one."""
    labels = _labels(file, label)
    if labels.null_count:
        raise Unreadable(f"{file}, row {pc.index(labels.is_null(), True).as_py():,}: no label")
    return frozenset(word for word in arrow.flat(labels).unique().to_pylist() if word is not None)


def _labels(file: str, label: str) -> Any:
    """The column of labels, which alone is read; raises Unreadable."""
    with explained(file), opened(file) as stream, ParquetFile(stream) as table:
        return arrow.column(table.read(columns=[label]), label)


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label, of which alone the column is read; raises Unreadable."""
    if contents.several_labels:
        return None
    return sum((_label_counts(file, contents) for file in contents.files), Counter())


def _label_counts(file: str, contents: Contents) -> Counter[int]:
    counts = pc.value_counts(_labels(file, contents.columns[1])).to_pylist()
    numbers = contents.numbers or {}
    return Counter({numbers.get(pair["values"], pair["values"]): pair["counts"] for pair in counts})


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each image, or None; raises Unreadable."""
    for images, _ in _batches(contents):
        yield from images.to_pylist()


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` images, the first few of some row groups; raises Unreadable."""
    yield from sampled(contents, most)


def store(path: str, digest: str, selection: Selection) -> Unpacked:
    """The images of the parquet files at `path`, whose contents have this hash.

    Raises Unreadable, or BadImage where pictures are damaged.
    """

    def size(planned: Contents) -> int:
        return sum(map(_unpacked_size, planned.files))

    return unpacked(digest, lambda: contents(path, selection).expect(digest, path), _batches, size)


def _unpacked_size(file: str) -> int:
    """The bytes of all columns of a parquet file before they were compressed; raises Unreadable."""
    with explained(file), opened(file) as stream:
        metadata = read_metadata(stream)
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _batches(contents: Contents) -> Iterator[tuple[Any, Any]]:
    """Yield the encoded images and labels of parquet files; raises Unreadable."""
    image, label = contents.columns
    numbers = contents.numbers
    for file in contents.files:
        with explained(file), opened(file) as stream, ParquetFile(stream, pre_buffer=remote(file)) as table:
            for batch in table.iter_batches(BATCH_ROWS, columns=[image, label]):
                yield arrow.pictures(batch, image, file), arrow.labels(batch, label, numbers)
