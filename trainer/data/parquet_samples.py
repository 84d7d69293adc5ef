"""Some pictures of parquet files from all over them, at little cost: what planning looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile, read_metadata

from scalectl.trainer.data import columns as arrow
from scalectl.trainer.data.facts import POINTER, POINTS, Contents, Unreadable
from scalectl.trainer.data.storage import opened, remote

SAMPLED_GROUPS = 16  # row groups that are looked at
SAMPLED_ROWS = 16  # of them that are read at once
SAMPLED_BYTES = 2**24  # of images that are looked at


def sampled(contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` images, the first few of some row groups; raises Unreadable."""
    parts = list(_some_groups(contents))
    for start, file, group in parts:
        space = SAMPLED_BYTES // SAMPLED_GROUPS
        images = islice(_group_images(file, group, contents.columns[0]), max(1, most // len(parts)))
        for place, image in enumerate(images):
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
        with explained(contents.files[number]) as file, opened(file) as stream:
            metadata = read_metadata(stream)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = list(accumulate(sizes, initial=rows[number]))
        several = SAMPLED_GROUPS // len(chosen)
        for group in sorted({len(sizes) * place // several for place in range(several)}):
            yield starts[group], file, group


def _group_images(file: str, group: int, image: str) -> Iterator[Any]:
    """Yield the bytes of the images of a row group, which is read page by page; raises Unreadable."""
    with explained(file), opened(file) as stream, ParquetFile(stream, buffer_size=2**18) as table:
        for batch in table.iter_batches(SAMPLED_ROWS, row_groups=[group], columns=[image], use_threads=False):
            yield from arrow.pictures(batch, image, file).to_pylist()


@contextmanager
def explained(file: str) -> Iterator[str]:
    """Yield the file; raises Unreadable, with its name, for what Arrow says of it."""
    try:
        yield file
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{file}: {POINTS if _points(file) else error}") from error


def _points(file: str) -> bool:
    """Whether a file on this machine is a pointer of Git LFS."""
    if remote(file):
        return False
    try:
        with Path(file).open("rb") as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError:
        return False
