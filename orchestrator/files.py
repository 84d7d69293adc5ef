"""What the files of images say before one is read: whether they can be, and whether they are what is asked for."""

from collections.abc import Iterator

from orchestrator.problem import Finding
from orchestrator.schema import Data
from trainer.files import Unreadable
from trainer.stores import contents


def files_are_images(data: Data) -> Iterator[Finding]:
    """Yield what is wrong with the files of a study; without findings, what they hold can be relied upon."""
    if not data.source.path:
        return
    if data.image_size is None:
        yield Finding(("data", "image_size"), "missing", "give the side in pixels that models see pictures at", True)
    elif data.resize is not None and data.resize < data.image_size:
        yield Finding(("data", "resize"), f"{data.resize} is less than image_size {data.image_size}")
    try:
        found = contents(data.source.kind, data.source.path)
    except Unreadable as error:
        yield Finding(("data", "source"), str(error))
        return
    classes = data.num_classes or found.num_classes or (None if found.largest is None else found.largest + 1)
    if classes is None:
        yield Finding(("data", "num_classes"), "missing", f"the files of {data.source} don't tell it", True)
    elif found.largest is not None and found.largest >= classes:
        yield Finding(("data", "source"), f"{data.source} has the label {found.largest:,}, and {classes:,} classes")
    if data.test:
        yield from _test_is_of_the_same(data, data.test, classes, found.classes)


def _test_is_of_the_same(data: Data, path: str, classes: int | None, names: tuple[str, ...]) -> Iterator[Finding]:
    try:
        test = contents(data.source.kind, path)
    except Unreadable as error:
        yield Finding(("data", "test"), str(error))
        return
    if test.classes != names:
        odd = ", ".join(sorted(set(test.classes) ^ set(names))[:3])
        yield Finding(("data", "test"), f"it has other folders than {data.source}: {odd}")
    elif classes and test.largest is not None and test.largest >= classes:
        yield Finding(("data", "test"), f"it has the label {test.largest:,}, and {data.source} {classes:,} classes")
    if data.held_out and data.held_out > test.num_images:
        yield Finding(("data", "held_out"), f"{data.held_out:,} is more than the {test.num_images:,} of data.test")
