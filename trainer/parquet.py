"""What the footers of parquet files say of the images in them, without reading an image."""

import hashlib
import json
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Any

from trainer.files import Contents, Unreadable


def contents(path: str) -> Contents:
    """Return what is in the parquet files at a path: a file, a folder, or a pattern such as train-*.parquet.

    Raises Unreadable.
    """
    found = _files(path)
    return _contents(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found))


def _files(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        found = sorted(place.rglob("*.parquet"))
    else:
        matching = [path] if place.exists() else glob(path, recursive=True)  # noqa: PTH207 - the pattern is absolute
        found = sorted(one for one in map(Path, matching) if one.is_file())
    if not found:
        raise Unreadable(f"{path}: no parquet files there")
    return found


@lru_cache(maxsize=8)
def _contents(files: tuple[tuple[str, int, int], ...]) -> Contents:
    """Return the contents of files of known sizes; two that differ in a byte of a footer have other hashes."""
    whole, counts = hashlib.sha256(), []
    declared: int | None = None
    largest: int | None = -1
    for file, size, _ in files:
        metadata, footer = _footer(file, size)
        whole.update(f"{size} {hashlib.sha256(footer).hexdigest()}\n".encode())
        schema = metadata.schema.to_arrow_schema()
        _check_columns(schema, file)
        declared = declared or _declared(schema)
        counts.append(metadata.num_rows)
        largest = None if largest is None else _largest(metadata, file, largest)
    names = tuple(file for file, *_ in files)
    return Contents(names, tuple(counts), declared, largest, whole.hexdigest()[:12])


def _footer(file: str, size: int) -> tuple[Any, bytes]:
    """Return the metadata of a file, read and as it stands there."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        with Path(file).open("rb") as opened:
            opened.seek(max(0, size - 8))
            length = int.from_bytes(opened.read(8)[:4], "little")
            opened.seek(max(0, size - 8 - length))
            return read_metadata(file), opened.read(length)
    except (OSError, ArrowException) as error:
        raise Unreadable(f"{file}: {error}") from error


def _check_columns(schema: Any, file: str) -> None:
    """Raise Unreadable unless there are encoded images, image.bytes as a column or as a field of image, and labels."""
    names = list(schema.names)
    flat = "image.bytes" in names
    nested = "image" in names and "bytes" in [one.name for one in _fields(schema.field("image").type)]
    if not (flat or nested) or "label" not in names:
        needed = "image (a struct with bytes) or image.bytes, and label"
        raise Unreadable(f"{file}: columns {', '.join(names)}; needed are {needed}")
    if not str(schema.field("label").type).startswith(("int", "uint")):
        raise Unreadable(f"{file}: column label is {schema.field('label').type}, not a whole number")


def _fields(kind: Any) -> list[Any]:
    return [kind.field(i) for i in range(kind.num_fields)]


def _declared(schema: Any) -> int | None:
    """Return how many classes the features of Hugging Face's datasets name, or None."""
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    names = features.get("label", {}).get("names")
    return len(names) if names else None


def _largest(metadata: Any, file: str, largest: int) -> int | None:
    """Return the largest label up to this file, None where a footer doesn't tell; raises Unreadable on missing ones."""
    position = metadata.schema.names.index("label") if metadata.num_row_groups else 0
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
