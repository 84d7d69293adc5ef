"""Images of record files at random; where each lies, and its label, is read once and kept in the user's cache."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from scalectl.trainer import cache, example, labels
from scalectl.trainer.damage import damage, refuse
from scalectl.trainer.example import BadRecord
from scalectl.trainer.files import Contents, Unreadable
from scalectl.trainer.pictures import BadImage
from scalectl.trainer.records import Shard, shard

NOTHING = memoryview(b"")  # a feature or a picture that isn't there
PICTURE = ("place", "start", "length")  # of its record in the file, and its own in the record


class Scanned:
    """Encoded images by number, and all labels."""

    def __init__(self, found: Contents, file: Path) -> None:
        table = ipc.open_file(pa.memory_map(str(file))).read_all()
        self._places, self._starts, self._lengths = (table.column(name).to_numpy() for name in PICTURE)
        self.labels = labels.from_arrow(table.column("label"))
        self._files, self._ends = found.files, list(accumulate(found.counts))

    def encoded(self, row: int) -> Any:
        """Return the bytes of an image; raises BadImage."""
        try:
            record = _opened(self._files[bisect_right(self._ends, row)]).record(int(self._places[row]))
        except BadRecord as error:
            raise BadImage(str(error)) from error
        start = self._starts[row]
        return memoryview(record)[start : start + self._lengths[row]]


@lru_cache(maxsize=4096)
def _opened(file: str) -> Shard:
    return shard(file)


def scanned(found: Contents) -> Scanned:
    """Return the images of record files; raises Unreadable, or BadImage where pictures are damaged."""
    file = cache.folder() / f"{found.digest}.pictures.arrow"
    if not file.exists():
        _scan(found, file)
    return Scanned(found, file)


def _scan(found: Contents, file: Path) -> None:
    """Write where all pictures lie, and their labels, unless a picture is damaged."""
    damaged: list[str] = []
    label = ("label", labels.arrow_type(several=found.several_labels))
    schema = pa.schema([*((name, pa.int64()) for name in PICTURE), label])
    with cache.appearing(file) as beside:
        with pa.OSFile(beside, "wb") as sink, ipc.new_file(sink, schema) as writer:
            for name, count in zip(found.files, found.counts, strict=True):
                rows = list(_rows(name, damaged, several=found.several_labels))
                if not damaged and len(rows) != count:
                    raise Unreadable(f"{name}: {len(rows):,} records, not {count:,}")
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
        refuse(damaged)


def _rows(file: str, damaged: list[str], *, several: bool) -> Iterator[dict[str, Any]]:
    """Yield where each picture lies and its label or labels; what is wrong with a picture is added to `damaged`."""
    row = 0
    try:
        for place, record in shard(file).records():
            found = example.features(record)
            picture = example.one_bytes(found.get("image", NOTHING)) or NOTHING
            if why := damage(picture):
                damaged.append(f"{file}, row {row:,}: {why}")
            each = example.whole_numbers(found.get("labels" if several else "label", NOTHING))
            if not several and len(each) > 1:
                raise Unreadable(f"{file}, row {row:,}: {len(each)} values of label; name the feature labels")
            lies = (place, bytes(record).find(picture), len(picture))
            yield dict(zip(PICTURE, lies, strict=True)) | {"label": each if several else next(iter(each), None)}
            row += 1
    except BadRecord as error:  # what comes after it isn't read
        damaged.append(f"{file}, row {row:,}: {error}")
