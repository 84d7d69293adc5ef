"""Images of record files at random; the labels and places of all records are read once and kept in the user's cache."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from trainer import cache, example, labels
from trainer.damage import damage, refuse
from trainer.example import BadRecord
from trainer.files import Contents, Unreadable
from trainer.pictures import BadImage
from trainer.records import Shard, shard

NOTHING = memoryview(b"")  # a feature that isn't there


class Scanned:
    """Encoded images by number, and all labels."""

    def __init__(self, found: Contents, file: Path) -> None:
        table = ipc.open_file(pa.memory_map(str(file))).read_all()
        self._places = table.column("place").to_numpy()
        self.labels = labels.from_arrow(table.column("label"))
        self._files, self._ends = found.files, list(accumulate(found.counts))

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image, or None; raises BadImage."""
        try:
            record = _opened(self._files[bisect_right(self._ends, row)]).record(int(self._places[row]))
            return example.one_bytes(example.features(record).get("image", NOTHING))
        except BadRecord as error:
            raise BadImage(str(error)) from error


@lru_cache(maxsize=4096)
def _opened(file: str) -> Shard:
    return shard(file)


def scanned(found: Contents) -> Scanned:
    """Return the images of record files; raises Unreadable, or BadImage where pictures are damaged."""
    file = cache.folder() / f"{found.digest}.labels.arrow"
    if not file.exists():
        _scan(found, file)
    return Scanned(found, file)


def _scan(found: Contents, file: Path) -> None:
    """Write the places and labels of all records, unless a picture is damaged."""
    damaged: list[str] = []
    schema = pa.schema([("place", pa.int64()), ("label", labels.arrow_type(several=found.several_labels))])
    with cache.appearing(file) as beside:
        with pa.OSFile(beside, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for name, count in zip(found.files, found.counts, strict=True):
                rows = list(_rows(name, damaged, several=found.several_labels))
                if not damaged and len(rows) != count:
                    raise Unreadable(f"{name}: {len(rows):,} records, not {count:,}")
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
        refuse(damaged)


def _rows(file: str, damaged: list[str], *, several: bool) -> Iterator[dict[str, Any]]:
    """Yield the place and the label or labels of each record; what is wrong with a picture is added to `damaged`."""
    row = 0
    try:
        for place, record in shard(file).records():
            found = example.features(record)
            if why := damage(example.one_bytes(found.get("image", NOTHING))):
                damaged.append(f"{file}, row {row:,}: {why}")
            each = example.whole_numbers(found.get("labels" if several else "label", NOTHING))
            if not several and len(each) > 1:
                raise Unreadable(f"{file}, row {row:,}: {len(each)} values of label; name the feature labels")
            yield {"place": place, "label": each if several else next(iter(each), None)}
            row += 1
    except BadRecord as error:  # what comes after it isn't read
        damaged.append(f"{file}, row {row:,}: {error}")
