"""Pictures of record files by number; where each lies, and its label, is read once and kept in the user's cache."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from scalectl.trainer import cache
from scalectl.trainer.counting import counted
from scalectl.trainer.data import labels, tf_example
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.hashes import keep, picture_hash
from scalectl.trainer.data.headers import BadImage, damage, refuse
from scalectl.trainer.data.loose import check_once
from scalectl.trainer.data.records import Shard, shard
from scalectl.trainer.data.tf_example import BadRecord

ABSENT = memoryview(b"")  # a feature or a picture that isn't there
PLACE = b"place"  # in the metadata of an index
PICTURE = ("place", "start", "length")  # the key of its record in the file, and its own bytes in the record


class Indexed:
    """Encoded images by number, and all labels, of record files with an index."""

    def __init__(self, contents: Contents, index: Path) -> None:
        table = ipc.open_file(pa.memory_map(str(index))).read_all()
        self._keys, self._starts, self._lengths = (table.column(name).to_numpy() for name in PICTURE)
        self.labels = labels.from_arrow(table.column("label"))
        self._files, self._ends = contents.files, list(accumulate(contents.counts))

    def encoded(self, row: int) -> Any:
        """The bytes of an image; raises BadImage."""
        try:
            record = _shard(self._files[bisect_right(self._ends, row)]).record(int(self._keys[row]))
        except BadRecord as error:
            raise BadImage(str(error)) from error
        start = self._starts[row]
        return memoryview(record)[start : start + self._lengths[row]]


@lru_cache(maxsize=4096)
def _shard(file: str) -> Shard:
    return shard(file)


def indexed(contents: Contents) -> Indexed:
    """The images of record files; raises Unreadable, or BadImage where pictures are damaged."""
    index = cache.folder() / f"{contents.digest}.pictures.arrow"
    if not index.exists():
        _write(contents, index)
    elif _made_of(index) not in (contents.place, ""):
        check_once(contents, _check)
    return Indexed(contents, index)


def _made_of(index: Path) -> str:
    """The place of the records that an index was made of, which were checked then; empty where it doesn't say."""
    with pa.memory_map(str(index)) as file:
        return (ipc.open_file(file).schema.metadata or {}).get(PLACE, b"").decode()


def _check(contents: Contents) -> None:
    """Raise BadImage where pictures are damaged, and Unreadable where files have not the records that they should."""
    damaged: list[str] = []
    for file, count in zip(contents.files, contents.counts, strict=True):
        _of_file(file, count, contents, damaged, [])
    refuse(damaged)


def _of_file(file: str, count: int, contents: Contents, damaged: list[str], known: list[bytes]) -> list[dict[str, Any]]:
    """What is kept of the pictures of a file; raises Unreadable where it has not so many records."""
    rows = list(_rows(file, contents, damaged, known))
    if not damaged and len(rows) != count:
        raise Unreadable(f"{file}: {counted(len(rows), 'record')}, not {count:,}")
    return rows


def _write(contents: Contents, index: Path) -> None:
    """Write where all pictures lie, and their labels, unless a picture is damaged."""
    damaged: list[str] = []
    known: list[bytes] = []
    label = ("label", labels.arrow_type(several=contents.several_labels))
    metadata = {PLACE: contents.place.encode()}
    schema = pa.schema([*((name, pa.int64()) for name in PICTURE), label], metadata=metadata)
    with cache.appearing(index) as part:
        with pa.OSFile(part, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for file, count in zip(contents.files, contents.counts, strict=True):
                rows = _of_file(file, count, contents, damaged, known)
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
        refuse(damaged)
        keep(contents.digest, known)


def _rows(file: str, contents: Contents, damaged: list[str], known: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield where each picture lies and its label or labels.

    What is wrong with a picture is added to `damaged`, and its hash to `known`.
    """
    row = 0
    image, name = contents.columns
    try:
        for key, record in shard(file).records():
            features = tf_example.features(record)
            picture = tf_example.one_bytes(features.get(image, ABSENT)) or ABSENT
            known.append(picture_hash(picture))
            if reason := damage(picture):
                damaged.append(f"{file}, row {row:,}: {reason}")
            position = (key, bytes(record).find(picture), len(picture))
            label = _label(features.get(name, ABSENT), f"{file}, row {row:,}", several=contents.several_labels)
            yield dict(zip(PICTURE, position, strict=True)) | {"label": label}
            row += 1
    except BadRecord as error:  # what comes after it isn't read
        damaged.append(f"{file}, row {row:,}: {error}")


def _label(feature: memoryview, location: str, *, several: bool) -> list[int] | int | None:
    """All labels of an image, or its only one, None if it has none; raises Unreadable where it has more."""
    values = tf_example.whole_numbers(feature)
    if several:
        return values
    if len(values) > 1:
        raise Unreadable(f"{location}: {len(values)} values of label; name the feature labels")
    return next(iter(values), None)
