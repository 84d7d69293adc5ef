"""What the files of images say before one is read: whether they can be, and whether they are what is asked for."""

from collections.abc import Iterator

from orchestrator.problem import Finding
from orchestrator.schema import Data
from trainer.files import Contents, Unreadable


def contents(path: str) -> Contents:
    """Return what is in the image files at a path; raises Unreadable."""
    from trainer import parquet

    return parquet.contents(path)


def files_are_images(data: Data) -> Iterator[Finding]:
    """Yield what is wrong with the files of a study; without findings, `contents` of them can be relied upon."""
    if not data.source.path:
        return
    if data.image_size is None:
        yield Finding(("data", "image_size"), "missing", "give the side in pixels that models see pictures at", True)
    elif data.resize is not None and data.resize < data.image_size:
        yield Finding(("data", "resize"), f"{data.resize} is less than image_size {data.image_size}")
    try:
        found = contents(data.source.path)
    except Unreadable as error:
        yield Finding(("data", "source"), str(error))
        return
    classes = data.num_classes or found.num_classes or (None if found.largest is None else found.largest + 1)
    if classes is None:
        yield Finding(("data", "num_classes"), "missing", f"the files of {data.source} don't tell it", True)
    elif found.largest is not None and found.largest >= classes:
        yield Finding(("data", "source"), f"{data.source} has the label {found.largest:,}, and {classes:,} classes")
    if data.test:
        yield from _test_is_of_the_same(data, data.test, classes)


def _test_is_of_the_same(data: Data, path: str, classes: int | None) -> Iterator[Finding]:
    try:
        test = contents(path)
    except Unreadable as error:
        yield Finding(("data", "test"), str(error))
        return
    if classes and test.largest is not None and test.largest >= classes:
        yield Finding(("data", "test"), f"it has the label {test.largest:,}, and {data.source} {classes:,} classes")
    if data.held_out and data.held_out > test.num_images:
        yield Finding(("data", "held_out"), f"{data.held_out:,} is more than the {test.num_images:,} of data.test")
