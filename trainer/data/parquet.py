"""Pictures in parquet files: planning reads footers alone, and training a copy in the user's cache.

A row of a parquet file can't be had without its whole row group. So all images are unpacked once into a file that is
mapped into memory, from which any of them can be had, by all processes of a machine together.
"""

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc
from pyarrow.parquet import ParquetFile, read_metadata

from scalectl.trainer import cache
from scalectl.trainer.data import labels
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.headers import damage, refuse
from scalectl.trainer.data.storage import listed, matching, opened, remote

CONCURRENT_FOOTERS = 16  # read at a time: a bucket takes a while to answer
BATCH_ROWS = 256  # of one batch of the unpacked file
SAMPLED_GROUPS, SAMPLED_ROWS = (
    16,
    16,
)  # row groups that are looked at for planning, and rows of them that are read at once
SAMPLED_BYTES = 2**24  # of images that are looked at


def contents(path: str) -> Contents:
    """What is in the parquet files at a path: a file, a folder, or a pattern such as train-*.parquet.

    The same files have the same hash on a disk and in a bucket. Raises Unreadable.
    """
    if remote(path):
        return _contents(tuple((file, size, 0) for file, size in listed(path, ".parquet", "parquet")))
    files = matching(path, "*.parquet", "parquet")
    return _contents(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=8)
def _contents(files: tuple[tuple[str, int, int], ...]) -> Contents:
    """The contents of files of known sizes; two that differ in a byte of a footer have other hashes."""
    digest, counts = hashlib.sha256(), []
    several: set[bool] = set()
    num_classes: int | None = None
    largest: int | None = -1
    with ThreadPoolExecutor(CONCURRENT_FOOTERS) as threads:
        footers = list(threads.map(_footer, *zip(*((file, size) for file, size, _ in files), strict=True)))
    for (file, size, _), (metadata, footer) in zip(files, footers, strict=True):
        digest.update(f"{size} {hashlib.sha256(footer).hexdigest()}\n".encode())
        schema = metadata.schema.to_arrow_schema()
        several.add(_several_labels(schema, file))
        if len(several) > 1:
            raise Unreadable(f"{file}: one label for each image here and lists of them in others")
        num_classes = num_classes or _declared_classes(schema)
        counts.append(metadata.num_rows)
        if largest is not None:
            largest = _largest_label(metadata, file, largest)
    names = tuple(file for file, *_ in files)
    hashed = digest.hexdigest()[:12]
    return Contents(names, tuple(counts), num_classes, largest, hashed, several_labels=several == {True})


def _footer(file: str, size: int) -> tuple[Any, bytes]:
    """The metadata of a file, and the bytes that it was read from; raises Unreadable."""
    try:
        with opened(file) as stream:
            stream.seek(max(0, size - 8))
            length = int.from_bytes(stream.read(8)[:4], "little")
            stream.seek(max(0, size - 8 - length))
            footer = stream.read(length)
            return read_metadata(stream), footer
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error


def _several_labels(schema: pa.Schema, file: str) -> bool:
    """Whether images have a list of labels each.

    Raises Unreadable unless there are encoded images, image.bytes as a column or as a field of image, and labels.
    """
    names, label = list(schema.names), _label_column(schema)
    has_images = "image.bytes" in names
    if "image" in names:
        has_images |= "bytes" in _field_names(schema.field("image").type)
    if not has_images or label not in names:
        needed = "image (a struct with bytes) or image.bytes, and label or labels"
        raise Unreadable(f"{file}: columns {', '.join(names)}; needed are {needed}")
    label_type = schema.field(label).type
    item_type = _item_type(label_type)
    if not str(item_type or label_type).startswith(("int", "uint")):
        raise Unreadable(f"{file}: column {label} is {label_type}, not a whole number or a list of them")
    return item_type is not None


def _label_column(schema: pa.Schema) -> str:
    """The name of the column of labels: label, or labels where there is none."""
    if "labels" in schema.names and "label" not in schema.names:
        return "labels"
    return "label"


def _item_type(column_type: Any) -> Any:
    """The type of the items of a list type, None for other types."""
    if str(column_type).startswith(("list", "large_list", "fixed_size_list")):
        return column_type.value_type
    return None


def _field_names(column_type: Any) -> list[str]:
    return [column_type.field(number).name for number in range(column_type.num_fields)]


def _declared_classes(schema: pa.Schema) -> int | None:
    """The number of classes that the features of Hugging Face's datasets name, or None."""
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    label = features.get(_label_column(schema), {})
    while "names" not in label and (isinstance(label, list) or "feature" in label):  # of a list of labels
        label = label[0] if isinstance(label, list) else label["feature"]
    return len(label.get("names") or ()) or None


def _largest_label(metadata: Any, file: str, largest: int) -> int | None:
    """The largest label up to this file, None where a footer doesn't tell; raises Unreadable on missing ones."""
    if not metadata.num_row_groups:
        return largest
    column = _label_leaf(metadata)
    first = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        statistics = group.column(column).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        rows = f"{file}, rows {first:,} to {first + group.num_rows - 1:,}"
        if statistics.null_count:
            raise Unreadable(f"{rows}: labels are missing")
        if statistics.min < 0:
            raise Unreadable(f"{rows}: a label is {statistics.min}")
        largest, first = max(largest, statistics.max), first + group.num_rows
    return largest


def _label_leaf(metadata: Any) -> int:
    """The number of the column of labels among those that are no structs or lists."""
    paths = [metadata.schema.column(number).path.split(".")[0] for number in range(metadata.num_columns)]
    if "label" in paths:
        return paths.index("label")
    return paths.index("labels")


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label, of which alone the column is read; raises Unreadable."""
    if contents.several_labels:
        return None
    return sum((_label_counts(file) for file in contents.files), Counter())


def _label_counts(file: str) -> Counter[int]:
    try:
        counts = ParquetFile(file).read(columns=["label"]).column("label").value_counts()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error
    return Counter({pair["values"]: pair["counts"] for pair in counts.to_pylist()})


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` images, the first few of some row groups; raises Unreadable."""
    parts = list(_some_groups(contents))
    for start, file, group in parts:
        space = SAMPLED_BYTES // SAMPLED_GROUPS
        for place, image in enumerate(islice(_group_images(file, group), max(1, most // len(parts)))):
            space -= len(image or b"")
            if place and space < 0:
                break
            yield start + place, image


def _some_groups(contents: Contents) -> Iterator[tuple[int, str, int]]:
    """Yield the first row, the file and the number of row groups that are spread over all files; raises Unreadable."""
    rows = list(accumulate(contents.counts, initial=0))[:-1]
    files = [number for number, count in enumerate(contents.counts) if count]
    chosen = sorted({files[len(files) * place // SAMPLED_GROUPS] for place in range(SAMPLED_GROUPS)})
    for number in chosen:
        with _explained(contents.files[number]) as file, opened(file) as stream:
            metadata = read_metadata(stream)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = list(accumulate(sizes, initial=rows[number]))
        several = SAMPLED_GROUPS // len(chosen)
        for group in sorted({len(sizes) * place // several for place in range(several)}):
            yield starts[group], file, group


def _group_images(file: str, group: int) -> Iterator[Any]:
    """Yield the bytes of the images of a row group, which is read page by page; raises Unreadable."""
    with _explained(file), opened(file) as stream, ParquetFile(stream, buffer_size=2**18) as table:
        for batch in table.iter_batches(SAMPLED_ROWS, row_groups=[group], columns=["image.bytes"], use_threads=False):
            yield from _images(batch).cast(pa.binary()).to_pylist()


@contextmanager
def _explained(file: str) -> Iterator[str]:
    """Yield the file; raises Unreadable, with its name, for what Arrow says of it."""
    try:
        yield file
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error


def _images(batch: pa.RecordBatch) -> Any:
    """The column of encoded images of a batch."""
    if "image" in batch.schema.names:
        return pc.struct_field(batch.column("image"), "bytes")
    return batch.column("image.bytes")


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


def store(path: str, digest: str) -> Unpacked:
    """The images of the parquet files at `path`, whose contents have this hash.

    Raises Unreadable, or BadImage where pictures are damaged.
    """
    file = cache.folder() / f"{digest}.arrow"
    if not file.exists():
        _unpack(contents(path).expect(digest, path), file)
    return Unpacked(file)


def _unpack(contents: Contents, file: Path) -> None:
    """Write all images and labels, unless a picture is damaged."""
    schema = pa.schema([("image", pa.binary()), ("label", labels.arrow_type(several=contents.several_labels))])
    _fits(sum(map(_unpacked_size, contents.files)), file, contents.files[0])
    with cache.appearing(file) as part:
        with pa.OSFile(part, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for name in contents.files:
                for batch in _batches(name, schema):
                    _fits(batch.nbytes, file, name)  # a footer may say less than there is
                    writer.write_batch(batch)
        images = Unpacked(Path(part))
        damages = ((row, damage(images.encoded(row))) for row in range(contents.num_images))
        refuse([f"{contents.locate(row)}: {reason}" for row, reason in damages if reason])


def _unpacked_size(file: str) -> int:
    """The bytes of all columns of a parquet file before they were compressed; raises Unreadable."""
    with _explained(file), opened(file) as stream:
        metadata = read_metadata(stream)
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _fits(needed: int, file: Path, source: str) -> None:
    """Raise Unreadable where so many bytes have no place on the disk of a file, and name what they come from."""
    free = cache.free(file)
    if needed > free:
        space = f"{needed / 1e9:,.3f} GB and {file.parent} has {max(free, 0) / 1e9:,.3f} GB to spare"
        raise Unreadable(f"{source}: unpacking takes {space}: set XDG_CACHE_HOME to a folder on a larger disk")


def _batches(file: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the encoded images and labels of a parquet file; raises Unreadable."""
    with _explained(file), opened(file) as stream, ParquetFile(stream, pre_buffer=remote(file)) as table:
        label = _label_column(table.schema_arrow)
        for batch in table.iter_batches(BATCH_ROWS, columns=["image.bytes", label]):
            columns = [_images(batch).cast(pa.binary()), batch.column(label).cast(schema.field("label").type)]
            yield pa.record_batch(columns, schema=schema)
