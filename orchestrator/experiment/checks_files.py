"""What is wrong with the files of images: unreadable, damaged, of several splits, or with labels of other classes."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment.evaluations import Evals
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.specs import (
    as_data,
    contents,
    test_contents,
    test_part,
    test_path,
    testing,
    train_part,
)
from scalectl.orchestrator.format import counted, few
from scalectl.trainer.data.classes import difference
from scalectl.trainer.data.copies import equal_pictures, words
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.splits import EVALUATED
from scalectl.trainer.data.storage import remote, root
from scalectl.trainer.data.survey import survey

MAX_LISTED = 5  # damaged pictures of a source, or folders


def pictures_have_a_side(data: Data) -> Iterator[Finding]:
    """Yield the side of pictures that is missing, or larger than what they are resized to."""
    if not data.source.path:
        return
    if data.image_size is None:
        yield Finding(("data", "image_size"), "missing", "give the side in pixels that models see pictures at", True)
    elif data.resize is not None and data.resize < data.image_size:
        yield Finding(("data", "resize"), f"{data.resize} is less than image_size {data.image_size}")


def files_are_images(data: Data) -> Iterator[Finding]:
    """Yield the faults of the files of a study; without any, other checks can read them."""
    if not data.source.path:
        return
    try:
        train = contents(data)
    except (Unreadable, OSError) as error:  # OSError: files that go while they are listed, as those of /proc do
        yield Finding(("data", "source"), str(error))
        yield from _test_is_there(data)
        return
    classes = data.num_classes or train.num_classes or None
    if classes is None and train.largest is not None:
        classes = train.largest + 1
    if classes is None:
        yield Finding(("data", "num_classes"), "missing", f"the files of {data.source} don't tell it", True)
    elif train.largest is not None and train.largest >= classes:
        yield Finding(("data", "source"), f"{data.source} has the label {train.largest:,}, and {classes:,} classes")
    yield from _pictures_are_sound(data, "source", train_part(data))
    yield from _splits_are_told(data, train)
    if test_path(data):
        yield from _test_is_of_the_same(data, classes, train)
    yield from _pictures_are_distinct(data)


def _splits_are_told(data: Data, train: Contents) -> Iterator[Finding]:
    """Yield a warning that says what is read where the files of a source are of several splits."""
    if not train.splits:
        return
    names = [split or "others" for split, _ in train.splits]
    message = f"{data.source} has files of {', '.join(names)}: {train.split} is trained on"
    if not data.test and test_path(data):
        message += f", and held-out images are of {next(split for split in EVALUATED if split in names)}"
    if _test_is_inside(data):
        message += "; files of data.test are among those of data.source, and are left out of training"
    hint = "to choose others, name the files of one split in data.source, and those of another in data.test"
    if train.flat:
        folder = train.flat[0]
        message += f"; {' and '.join(train.flat)} left out, without folders of classes"
        hint = f"give {folder} as data.test, and the list of its labels as data.test_labels"
    yield Finding(("data", "source"), message, hint, severity="warning")


def _test_is_inside(data: Data) -> bool:
    """Whether files of `data.test` lie in the folder that holds those of `data.source`."""
    if not data.test or remote(data.source.path):
        return False
    try:
        test = _real(test_contents(data).files)
    except Unreadable:  # which is told by itself
        return False
    folder = os.path.realpath(root(data.source.path))
    return any(Path(file).is_relative_to(folder) for file in test)


def _pictures_are_sound(data: Data, key: str, part: Part) -> Iterator[Finding]:
    """Yield what is wrong with the pictures that planning looks at."""
    try:
        seen = survey(part)
    except Unreadable as error:
        yield Finding(("data", key), str(error))
        return
    for damaged in seen.damaged[:MAX_LISTED]:
        yield Finding(("data", key), damaged, "remove it, or put a sound picture in its place")
    if len(seen.damaged) > MAX_LISTED:
        yield Finding(("data", key), f"{len(seen.damaged) - MAX_LISTED:,} more of {part.path} are damaged")
    if seen.unbounded and data.range is None:
        hint = "give the values that become black and white, as in [0, 4095]"
        message = f"missing: {seen.unbounded} is grey of 32 bits or floats, and doesn't say which value is white"
        yield Finding(("data", "range"), message, hint, True)
    if seen.sizes and math.prod(seen.largest_size) > data.max_pixels:
        width, height = seen.largest_size
        message = f"{seen.largest} has {width:,} x {height:,} pixels, more than {data.max_pixels:,}"
        yield Finding(("data", "max_pixels"), message, "raise data.max_pixels, or make the picture smaller", True)


def datasets_are_images(evals: Evals) -> Iterator[Finding]:
    """Yield the faults of the files of the datasets that evaluations have beside the study's own."""
    for name, dataset in evals.datasets.items():
        data = as_data(dataset, side=1)
        for finding in (*pictures_have_a_side(data), *files_are_images(data)):
            yield replace(finding, path=("evals", "datasets", name, *finding.path[1:]))


def _test_is_there(data: Data) -> Iterator[Finding]:
    """Yield that the test split can't be read either, where it needs no classes of the training images for that."""
    try:
        if data.test and not data.test_labels:
            Part(data.source.kind, test_path(data), testing(data)).contents()
    except Unreadable as error:
        yield Finding(("data", "test"), str(error))


def _test_is_of_the_same(data: Data, classes: int | None, train: Contents) -> Iterator[Finding]:
    path: KeyPath = ("data", "test" if data.test else "source")
    try:
        test = test_contents(data)
        yield from _pictures_are_sound(data, "test" if data.test else "source", test_part(data))
    except Unreadable as error:
        yield Finding(("data", "test_labels") if str(error).startswith(data.test_labels or "\0") else path, str(error))
        return
    if both := _real(train.files) & _real(test.files):
        message = f"it has {counted(len(both), 'file')} of data.source, such as {min(both)}"
        yield Finding(path, message, "a model would be tested on what it is trained on")
        return
    if test.several_labels != train.several_labels:
        yield Finding(path, f"only one of it and {data.source} has lists of labels")
    elif test.words != train.words and not data.test_labels:
        yield Finding(path, f"labels are words in only one of it and {data.source}")
    elif test.single and test.classes != train.classes:
        yield Finding(path, _other_folders(data, train, test), "an empty folder does for a class without pictures")
    elif contrary := difference(train.classes, f"in {data.source}", test.classes, f"in {_tested(data, test)}"):
        yield Finding(path, contrary, "number the classes of both alike")
    elif classes and test.largest is not None and test.largest >= classes:
        yield Finding(path, f"it has the label {test.largest:,}, and {data.source} {classes:,} classes")
    if data.held_out and data.held_out > test.num_images:
        yield Finding(("data", "held_out"), f"{data.held_out:,} is more than the {test.num_images:,} of data.test")


def _other_folders(data: Data, train: Contents, test: Contents) -> str:
    """Which folders of classes only one of the training and the test split has."""
    gone, new = (
        few(sorted({*one.classes} - {*other.classes}), MAX_LISTED) for one, other in ((train, test), (test, train))
    )
    told = [f"lacks {gone}" if gone else "", f"has {new} besides" if new else ""]
    subject = "it" if data.test else _tested(data, test)
    return f"of the folders of {data.source} {subject} {' and '.join(filter(None, told))}"


def _tested(data: Data, test: Contents) -> str:
    """What the test files are called in a message."""
    if data.test:
        return "data.test"
    return f"its split {test.split}"


def _real(files: Iterable[str]) -> set[str]:
    """The files without links; addresses in buckets as they are."""
    return {file if remote(file) else os.path.realpath(file) for file in files}


def _pictures_are_distinct(data: Data) -> Iterator[Finding]:
    """Yield, as a warning, how many pictures are both trained on and held out, where comparing all of them is cheap."""
    train, apart = train_part(data), bool(test_path(data))
    try:
        number = equal_pictures(train, test_part(data) if apart else train)
    except Unreadable:  # which is told already
        return
    hint = "remove them from one of both"
    if not apart:
        hint = "a copy of a training picture may be held out: remove copies, or give data.test"
    if number:
        message = words(number, str(data.source), apart=apart)
        yield Finding(("data", "test" if data.test else "source"), message, hint, severity="warning")


def datasets_are_apart(data: Data, evals: Evals) -> Iterator[Finding]:
    """Yield, as warnings, how many test pictures of other datasets are trained on, where comparing them is cheap."""
    if not data.source.path:
        return
    for name, section in evals.datasets.items():
        dataset = as_data(section, side=1)
        if not dataset.source.path or not test_path(dataset):
            continue
        number = equal_pictures(train_part(data), test_part(dataset))
        if number:
            message = words(number, str(data.source), apart=True)
            yield Finding(("evals", "datasets", name), message, "remove them from one of both", severity="warning")


FILES = (pictures_have_a_side, files_are_images, datasets_are_images)
