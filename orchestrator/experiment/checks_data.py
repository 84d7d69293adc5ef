"""What no single key shows of images and evaluations: files, datasets, shots and metrics that don't fit."""

from collections.abc import Iterator
from dataclasses import replace

from scalectl.orchestrator.errors import Finding, Path, did_you_mean
from scalectl.orchestrator.experiment.schema import Data, Evals, Fit, Model, Train
from scalectl.orchestrator.experiment.specs import as_data, evaluations, held_out, known, left, test_path
from scalectl.trainer.census import census
from scalectl.trainer.files import Contents, Unreadable
from scalectl.trainer.sources import ENDLESS, PLENTY
from scalectl.trainer.stores import contents


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


def datasets_have_names(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets whose names are taken or can't be part of a metric's, and those that nothing uses."""
    asked = [dataset for _, dataset in _datasets_asked_for(evals)]
    for name in evals.datasets:
        path: Path = ("evals", "datasets", name)
        if name == data.source.kind:
            yield Finding(path, f"{name!r} is the name of the study's own images", "give it another name", True)
        elif "/" in name:
            yield Finding(path, f"{name!r}: a name with / would part the name of its metric", "use another sign", True)
        elif name not in asked:
            yield Finding(path, "no evaluation uses it", "name it in evals.fewshot or evals.finetune", True, "warning")


def datasets_exist(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets of evaluations that are neither listed nor the study's own images."""
    there = [data.source.kind, *evals.datasets]
    for path, name in _datasets_asked_for(evals):
        if name not in there:
            hint = did_you_mean(name, there) or f"evals.datasets lists them; the study's own is {data.source.kind!r}"
            yield Finding(path, f"no dataset {name!r}", hint)


def _datasets_asked_for(evals: Evals) -> Iterator[tuple[Path, str]]:
    """Yield each dataset that an evaluation names with the place where it does."""
    for i, name in enumerate(evals.fewshot.datasets if evals.fewshot else ()):
        yield ("evals", "fewshot", "datasets", i), name
    if evals.finetune:
        yield ("evals", "finetune", "dataset"), evals.finetune.dataset


def datasets_fit(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets that models of the study can't see, and those that have nothing to learn from."""
    study = known(data)
    for name, dataset in evals.datasets.items():
        path, its = ("evals", "datasets", name), as_data(dataset, study.image_size)
        yield from (replace(one, path=(*path, *one.path[1:])) for one in source_takes_keys(its))
        channels = known(its).channels
        if channels not in (1, study.channels):
            what = f"images of {channels} channels beside a study of {study.channels}: they don't fit"
            yield Finding((*path, "source"), what, "take images of as many channels, or grey ones")
        if left(its) < 1:
            what = f"{held_out(its):,} leaves nothing to train on: {dataset.source} has {known(its).num_images:,}"
            yield Finding((*path, "held_out"), what)
        if dataset.resize and dataset.resize < study.image_size:
            what = f"{dataset.resize} is less than the {study.image_size} pixels that models see"
            yield Finding((*path, "resize"), what, "raise it")


def evaluated_have_one_label(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets of few-shot evaluation and fine-tuning whose images have several labels each."""
    side = known(data).image_size
    sections = {data.source.kind: data} | {name: as_data(one, side) for name, one in evals.datasets.items()}
    for path, name in _datasets_asked_for(evals):
        if name in sections and several_labels(sections[name]):
            what = f"images of {sections[name].source} have several labels each"
            yield Finding(path, what, f"evals.{path[1]} takes images of one class")


def shots_fit(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the numbers of shots that a dataset has too few images a class for."""
    few, side = evals.fewshot, known(data).image_size
    if few is None:
        return
    sections = {data.source.kind: data} | {name: as_data(one, side) for name, one in evals.datasets.items()}
    for dataset in filter(sections.__contains__, few.datasets):
        label, each = _fewest(sections[dataset])
        for i, shots in enumerate(few.shots):
            if 0 < each < shots:
                what = f"{shots:,} images a class are more than {dataset} has beside the held-out ones"
                hint = f"it has {each:,} a class" if label is None else f"it has {each:,} of class {label}"
                yield Finding(("evals", "fewshot", "shots", i), what, hint)


def _fewest(data: Data) -> tuple[int | None, int]:
    """Return the class with the fewest images and how many those are, where labels are at hand, or the mean number."""
    mean = (PLENTY if known(data).num_images == ENDLESS else left(data)) // known(data).num_classes
    counts = census(data.source.kind, data.source.path) if data.source.path else None
    if not counts:
        return None, mean
    label, count = min(counts.items(), key=lambda item: (item[1], item[0]))
    return (label, count) if count < mean else (None, mean)


def finetuning_fits(evals: Evals, models: dict[str, Model]) -> Iterator[Finding]:
    """Yield the warmup that never ends, and the resolution that a patch is larger than."""
    tuning = evals.finetune
    if tuning and tuning.warmup is not None and tuning.warmup >= tuning.steps:
        yield Finding(("evals", "finetune", "warmup"), f"{tuning.warmup:,} of {tuning.steps:,} steps", "lower it")
    for name, model in models.items():
        if tuning and tuning.resolution and model.patch_size > tuning.resolution:
            what = f"{tuning.resolution} pixels are less than a patch of {name}, {model.patch_size} pixels"
            yield Finding(("evals", "finetune", "resolution"), what, "raise it")


def metrics_are_measured(evals: Evals, fits: dict[str, Fit]) -> Iterator[Finding]:
    """Yield the fits of a metric that no evaluation measures, or that has no law."""
    measured = list(evaluations(evals, 0, {}).metrics())
    for name, fit in fits.items():
        if fit.metric not in measured:
            hint = did_you_mean(fit.metric, measured) or f"evals measures {', '.join(measured)}"
            yield Finding(("fits", name, "metric"), f"{fit.metric!r} is not measured", hint)
        elif fit.metric.endswith("precision@1"):
            yield Finding(("fits", name, "metric"), f"{fit.metric!r} rises, and a law falls", "fit upstream/error")


EVALS = (
    evaluated_have_one_label,
    shots_fit,
    finetuning_fits,
    datasets_have_names,
    datasets_exist,
    datasets_fit,
    metrics_are_measured,
)
