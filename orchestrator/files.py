"""What the files of images say before one is read: whether they can be, and whether they are what is asked for."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.problem import Finding
from orchestrator.schema import Data, Evals, Train
from orchestrator.specs import as_data, test_path
from trainer.files import Contents, Unreadable
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
    if path := test_path(data):
        yield from _test_is_of_the_same(data, path, classes, found)


def datasets_are_images(evals: Evals) -> Iterator[Finding]:
    """Yield what is wrong with the files of the datasets that evaluations have beside the study's own."""
    for name, dataset in evals.datasets.items():
        for finding in files_are_images(as_data(dataset, side=1)):
            yield replace(finding, path=("evals", "datasets", name, *finding.path[1:]))


def _test_is_of_the_same(data: Data, path: str, classes: int | None, train: Contents) -> Iterator[Finding]:
    try:
        test = contents(data.source.kind, path)
    except Unreadable as error:
        yield Finding(("data", "test"), str(error))
        return
    if test.several_labels != train.several_labels:
        yield Finding(("data", "test"), f"only one of it and {data.source} has lists of labels")
    elif test.classes != train.classes:
        odd = ", ".join(sorted(set(test.classes) ^ set(train.classes))[:3])
        yield Finding(("data", "test"), f"it has other folders than {data.source}: {odd}")
    elif classes and test.largest is not None and test.largest >= classes:
        yield Finding(("data", "test"), f"it has the label {test.largest:,}, and {data.source} {classes:,} classes")
    if data.held_out and data.held_out > test.num_images:
        yield Finding(("data", "held_out"), f"{data.held_out:,} is more than the {test.num_images:,} of data.test")


def several_labels(data: Data) -> bool:
    """Return whether an image can have more labels than one; raises Unreadable."""
    return bool(data.source.path) and contents(data.source.kind, data.source.path).several_labels


def several_labels_fit(data: Data, train: Train) -> Iterator[Finding]:
    """Yield what has no meaning where images have several labels each."""
    if not several_labels(data):
        return
    if train.loss == "softmax":
        what = f"images of {data.source} have several labels each, and softmax is of one"
        yield Finding(("train", "loss"), what, "use sigmoid")
    if data.stratified:
        what = f"images of {data.source} have several labels each, so they are of no one class"
        yield Finding(("data", "stratified"), what, "leave it out")


def source_takes_keys(data: Data) -> Iterator[Finding]:
    """Yield the keys that a source without files, or with properties of its own, has no use for."""
    unused = {"resize": "no pictures to resize", "test": "no files"}
    if data.source.kind == "digits":
        unused |= {"image_size": "their own image_size", "num_classes": "their own num_classes"}
    for key, what in unused.items():
        if not data.source.path and getattr(data, key) is not None:
            yield Finding(("data", key), f"{data.source} have {what}", "remove it", True)
