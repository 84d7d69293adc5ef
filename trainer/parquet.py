"""What the footers of parquet files say of the images in them, without reading an image."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from scalectl.trainer.buckets import listed, opened
from scalectl.trainer.files import Contents, Unreadable, matching, remote

TOGETHER = 16  # footers read at a time: a bucket takes a while to answer


def contents(path: str) -> Contents:
    """Return what is in the parquet files at a path: a file, a folder, or a pattern such as train-*.parquet.

    The same files have the same hash on a disk and in a bucket. Raises Unreadable.
    """
    if remote(path):
        return _contents(tuple((file, size, 0) for file, size in listed(path, ".parquet", "parquet")))
    found = matching(path, "*.parquet", "parquet")
    return _contents(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found))


@lru_cache(maxsize=8)
def _contents(files: tuple[tuple[str, int, int], ...]) -> Contents:
    """Return the contents of files of known sizes; two that differ in a byte of a footer have other hashes."""
    whole, counts = hashlib.sha256(), []
    several: set[bool] = set()
    declared: int | None = None
    largest: int | None = -1
    with ThreadPoolExecutor(TOGETHER) as threads:
        footers = list(threads.map(_footer, *zip(*((file, size) for file, size, _ in files), strict=True)))
    for (file, size, _), (metadata, footer) in zip(files, footers, strict=True):
        whole.update(f"{size} {hashlib.sha256(footer).hexdigest()}\n".encode())
        schema = metadata.schema.to_arrow_schema()
        several.add(_several(schema, file))
        if len(several) > 1:
            raise Unreadable(f"{file}: one label for each image here and lists of them in others")
        declared = declared or _declared(schema)
        counts.append(metadata.num_rows)
        largest = None if largest is None else _largest(metadata, file, largest)
    names = tuple(file for file, *_ in files)
    return Contents(names, tuple(counts), declared, largest, whole.hexdigest()[:12], several_labels=several == {True})


def _footer(file: str, size: int) -> tuple[Any, bytes]:
    """Return the metadata of a file, read and as it stands there."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        with opened(file) as source:
            source.seek(max(0, size - 8))
            length = int.from_bytes(source.read(8)[:4], "little")
            source.seek(max(0, size - 8 - length))
            footer = source.read(length)
            return read_metadata(source), footer
    except (OSError, ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error


def _several(schema: Any, file: str) -> bool:
    """Return whether images have a list of labels each.

    Raises Unreadable unless there are encoded images, image.bytes as a column or as a field of image, and labels.
    """
    names, label = list(schema.names), label_column(schema)
    flat = "image.bytes" in names
    nested = "image" in names and "bytes" in [one.name for one in _fields(schema.field("image").type)]
    if not (flat or nested) or label not in names:
        needed = "image (a struct with bytes) or image.bytes, and label or labels"
        raise Unreadable(f"{file}: columns {', '.join(names)}; needed are {needed}")
    kind = schema.field(label).type
    if not str(_item(kind) or kind).startswith(("int", "uint")):
        raise Unreadable(f"{file}: column {label} is {kind}, not a whole number or a list of them")
    return _item(kind) is not None


def label_column(schema: Any) -> str:
    """Return the name of the column of labels: label, or labels where there is none."""
    return "label" if "label" in schema.names or "labels" not in schema.names else "labels"


def _item(kind: Any) -> Any:
    """Return the type of the items of a list type, None for other types."""
    return kind.value_type if str(kind).startswith(("list", "large_list", "fixed_size_list")) else None


def _fields(kind: Any) -> list[Any]:
    return [kind.field(i) for i in range(kind.num_fields)]


def _declared(schema: Any) -> int | None:
    """Return how many classes the features of Hugging Face's datasets name, or None."""
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    label = features.get(label_column(schema), {})
    while "names" not in label and (isinstance(label, list) or "feature" in label):
        label = label[0] if isinstance(label, list) else label["feature"]  # of a list of labels
    names = label.get("names")
    return len(names) if names else None


def _largest(metadata: Any, file: str, largest: int) -> int | None:
    """Return the largest label up to this file, None where a footer doesn't tell; raises Unreadable on missing ones."""
    position = _leaf(metadata) if metadata.num_row_groups else 0
    first = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        told = group.column(position).statistics
        rows = f"{file}, rows {first:,} to {first + group.num_rows - 1:,}"
        if told is None or not told.has_min_max:
            return None
        if told.null_count or told.min < 0:
            raise Unreadable(f"{rows}: {'labels are missing' if told.null_count else f'a label is {told.min}'}")
        largest, first = max(largest, told.max), first + group.num_rows
    return largest


def _leaf(metadata: Any) -> int:
    """Return the place of the column of labels among those that are no structs or lists."""
    paths = [metadata.schema.column(number).path.split(".")[0] for number in range(metadata.num_columns)]
    return paths.index("label" if "label" in paths else "labels")
