"""Data sets in the folders that save_to_disk of Hugging Face's datasets writes: Arrow files, mapped into memory.

A folder of one split has state.json, which lists its Arrow files in order; one of several has dataset_dict.json and a
folder for each.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from scalectl.trainer.data import columns as arrow
from scalectl.trainer.data import splits
from scalectl.trainer.data.classes import numbered
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.parquet_samples import explained
from scalectl.trainer.data.storage import versions
from scalectl.trainer.data.unpacked import BATCH_ROWS, Unpacked, unpacked
from scalectl.trainer.selection import Selection


def contents(path: str, selection: Selection) -> Contents:
    """What is in a folder that save_to_disk wrote, of one split or of several; raises Unreadable."""
    folder, groups = Path(path), {"": [path]}
    if (folder / "dataset_dict.json").is_file():
        names = _json(folder / "dataset_dict.json").get("splits") or []
        groups = {str(name): [str(folder / str(name))] for name in names}
    if not groups:
        raise Unreadable(f"{path}: dataset_dict.json names no split")
    split, [own] = splits.select(groups, selection.purpose, path)
    sizes = splits.sizes(groups)
    return _contents(versions(_files(Path(own))), selection, split if sizes else "", sizes)


def _files(folder: Path) -> list[str]:
    """The Arrow files of one split in order; raises Unreadable."""
    state = _json(folder / "state.json")
    try:
        files = [str(folder / entry["filename"]) for entry in state["_data_files"]]
    except (LookupError, TypeError) as error:
        raise Unreadable(f"{folder / 'state.json'}: it lists no _data_files") from error
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise Unreadable(
            f"{folder}: rows chosen by indices, as old versions saved them: save it with datasets 2 or later"
        )
    for file in files:
        if not Path(file).is_file():
            raise Unreadable(f"{file}: no such file")
    if not files:
        raise Unreadable(f"{folder}: no images")
    return files


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(
            f"{file.parent}: not a folder that save_to_disk wrote: {file.name} is missing or broken"
        ) from error
    return value if isinstance(value, dict) else {}


@lru_cache(maxsize=8)
def _contents(
    files: tuple[tuple[str, int, int], ...], selection: Selection, split: str, groups: tuple[tuple[str, int], ...]
) -> Contents:
    """The contents of Arrow files of one schema; their hash is of schema, labels and the sizes of all pictures."""
    names = [file for file, *_ in files]
    tables = {file: _table(file) for file in names}
    table = arrow.alike({file: arrow.columns(tables[file].schema, selection, file) for file in names})
    classes, largest = table.names, -1
    digest, words, counts = hashlib.sha256(f"{table.image} {table.label}".encode()), set(), Counter[str]()
    for file, batch in [(name, batch) for name in names for batch in tables[name].to_batches()]:
        labels = arrow.column(batch, table.label)
        sizes = pc.binary_length(arrow.pictures(batch, table.image, file)).to_pylist()
        if labels.null_count:
            row = counts[file] + pc.index(labels.is_null(), True).as_py()
            raise Unreadable(f"{file}, row {row:,}: no label")
        counts[file] += len(labels)
        digest.update(json.dumps([sizes, labels.to_pylist()]).encode())
        if table.words:
            words |= set(arrow.flat(labels).unique().to_pylist())
        elif len(whole := arrow.flat(labels).cast(pa.int64())):
            least, most = pc.min_max(whole).as_py().values()
            if least < 0:
                raise Unreadable(f"{file}: a label is {least}")
            largest = max(largest, most)
    if table.words:
        classes = numbered(words, selection.classes, names[0])
        largest = len(classes) - 1
    digest.update("\n".join(classes).encode())
    return Contents(
        files=tuple(names),
        counts=tuple(counts[file] for file in names),
        num_classes=len(classes) or None,
        largest=largest,
        digest=digest.hexdigest()[:12],
        classes=classes,
        several_labels=table.several,
        words=table.words,
        split=split,
        splits=groups,
        columns=(table.image, table.label),
    )


def _table(file: str) -> pa.Table:
    """The table of an Arrow file, of which only what is used is read; raises Unreadable."""
    with explained(file):
        return ipc.open_stream(pa.memory_map(file)).read_all()


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label."""
    if contents.several_labels:
        return None
    labels = (arrow.labels(_table(file), contents.columns[1], contents.numbers) for file in contents.files)
    return Counter(label for values in labels for label in values.to_pylist())


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each image, or None; raises Unreadable."""
    for images, _ in _batches(contents):
        yield from images.to_pylist()


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` images from all over the files."""
    first, rows = 0, contents.spread(most)
    for file, count in zip(contents.files, contents.counts, strict=True):
        own = [row for row in rows if first <= row < first + count]
        if own:
            some = _table(file).take([row - first for row in own])
            yield from zip(own, arrow.pictures(some, contents.columns[0], file).to_pylist(), strict=True)
        first += count


def store(path: str, digest: str, selection: Selection) -> Unpacked:
    """The images of a data set whose contents have this hash; raises Unreadable, or BadImage where some are damaged."""

    def size(planned: Contents) -> int:
        return sum(Path(file).stat().st_size for file in planned.files)

    return unpacked(digest, lambda: contents(path, selection).expect(digest, path), _batches, size)


def _batches(contents: Contents) -> Iterator[tuple[Any, Any]]:
    """Yield the encoded images and labels of Arrow files."""
    image, label = contents.columns
    for file in contents.files:
        for batch in _table(file).to_batches(BATCH_ROWS):
            yield arrow.pictures(batch, image, file), arrow.labels(batch, label, contents.numbers)
