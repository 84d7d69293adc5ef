"""What no single key shows of images and evaluations: files, datasets, shots and metrics that don't fit."""

from collections.abc import Iterator
from dataclasses import replace

from scalectl.orchestrator.errors import Finding, KeyPath, did_you_mean
from scalectl.orchestrator.experiment.schema import Data, Evals, Fit, Model, Train
from scalectl.orchestrator.experiment.specs import as_data, evaluations, held_out, known, left, test_path
from scalectl.trainer.data import registry
from scalectl.trainer.data.facts import PLENTY, Contents, Unreadable


def files_are_images(data: Data) -> Iterator[Finding]:
    """Yield the faults of the files of a study; without any, other checks can read them."""
    if not data.source.path:
        return
    if data.image_size is None:
        yield Finding(("data", "image_size"), "missing", "give the side in pixels that models see pictures at", True)
    elif data.resize is not None and data.resize < data.image_size:
        yield Finding(("data", "resize"), f"{data.resize} is less than image_size {data.image_size}")
    try:
        contents = registry.contents(data.source.kind, data.source.path)
    except (Unreadable, OSError) as error:  # OSError: files that go while they are listed, as those of /proc do
        yield Finding(("data", "source"), str(error))
        return
    classes = data.num_classes or contents.num_classes or None
    if classes is None and contents.largest is not None:
        classes = contents.largest + 1
    if classes is None:
        yield Finding(("data", "num_classes"), "missing", f"the files of {data.source} don't tell it", True)
    elif contents.largest is not None and contents.largest >= classes:
        yield Finding(("data", "source"), f"{data.source} has the label {contents.largest:,}, and {classes:,} classes")
    if path := test_path(data):
        yield from _test_is_of_the_same(data, path, classes, contents)


def datasets_are_images(evals: Evals) -> Iterator[Finding]:
    """Yield the faults of the files of the datasets that evaluations have beside the study's own."""
    for name, dataset in evals.datasets.items():
        for finding in files_are_images(as_data(dataset, side=1)):
            yield replace(finding, path=("evals", "datasets", name, *finding.path[1:]))


def _test_is_of_the_same(data: Data, path: str, classes: int | None, train: Contents) -> Iterator[Finding]:
    try:
        test = registry.contents(data.source.kind, path)
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
    """Tell whether an image can have more labels than one; raises Unreadable."""
    return bool(data.source.path) and registry.contents(data.source.kind, data.source.path).several_labels


def several_labels_fit(data: Data, train: Train) -> Iterator[Finding]:
    """Yield the keys that have no meaning where images have several labels each."""
    if not several_labels(data):
        return
    if train.loss == "softmax":
        message = f"images of {data.source} have several labels each, and softmax is of one"
        yield Finding(("train", "loss"), message, "use sigmoid")
    if data.stratified:
        message = f"images of {data.source} have several labels each, so they are of no one class"
        yield Finding(("data", "stratified"), message, "leave it out")


def source_takes_keys(data: Data) -> Iterator[Finding]:
    """Yield the keys that a source without files, or with properties of its own, has no use for."""
    unused = {"resize": "no pictures to resize", "test": "no files"}
    if isinstance(registry.source(data.source.kind), registry.InMemory):
        unused |= {"image_size": "their own image_size", "num_classes": "their own num_classes"}
    for key, reason in unused.items():
        if not data.source.path and getattr(data, key) is not None:
            yield Finding(("data", key), f"{data.source} have {reason}", "remove it", True)


def datasets_have_names(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets whose names are taken or can't be part of a metric's, and those that nothing uses."""
    used = [dataset for _, dataset in _datasets_in_use(evals)]
    for name in evals.datasets:
        path: KeyPath = ("evals", "datasets", name)
        if name == data.source.kind:
            yield Finding(path, f"{name!r} is the name of the study's own images", "give it another name", True)
        elif "/" in name:
            yield Finding(path, f"{name!r}: a name with / would part the name of its metric", "use another sign", True)
        elif name not in used:
            yield Finding(path, "no evaluation uses it", "name it in evals.fewshot or evals.finetune", True, "warning")


def datasets_exist(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets of evaluations that are neither listed nor the study's own images."""
    names = [data.source.kind, *evals.datasets]
    for path, name in _datasets_in_use(evals):
        if name not in names:
            hint = did_you_mean(name, names) or f"evals.datasets lists them; the study's own is {data.source.kind!r}"
            yield Finding(path, f"no dataset {name!r}", hint)


def _datasets_in_use(evals: Evals) -> Iterator[tuple[KeyPath, str]]:
    """Yield each dataset that an evaluation names with the place where it does."""
    if evals.fewshot:
        for i, name in enumerate(evals.fewshot.datasets):
            yield ("evals", "fewshot", "datasets", i), name
    if evals.finetune:
        yield ("evals", "finetune", "dataset"), evals.finetune.dataset


def datasets_fit(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets that models of the study can't see, and those that have nothing to learn from."""
    study = known(data)
    for name, dataset in evals.datasets.items():
        path, section = ("evals", "datasets", name), as_data(dataset, study.image_size)
        for finding in source_takes_keys(section):
            yield replace(finding, path=(*path, *finding.path[1:]))
        facts = known(section)
        if facts.channels not in (1, study.channels):
            message = f"images of {facts.channels} channels beside a study of {study.channels}: they don't fit"
            yield Finding((*path, "source"), message, "take images of as many channels, or grey ones")
        if left(section) < 1:
            message = f"{held_out(section):,} leaves nothing to train on: {dataset.source} has {facts.num_images:,}"
            yield Finding((*path, "held_out"), message)
        if dataset.resize and dataset.resize < study.image_size:
            message = f"{dataset.resize} is less than the {study.image_size} pixels that models see"
            yield Finding((*path, "resize"), message, "raise it")


def evaluated_have_one_label(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets of few-shot evaluation and fine-tuning whose images have several labels each."""
    sections = _datasets(evals, data)
    for path, name in _datasets_in_use(evals):
        if name in sections and several_labels(sections[name]):
            message = f"images of {sections[name].source} have several labels each"
            yield Finding(path, message, f"evals.{path[1]} takes images of one class")


def _datasets(evals: Evals, data: Data) -> dict[str, Data]:
    """The datasets that evaluations may name, the study's own among them."""
    side = known(data).image_size
    return {data.source.kind: data} | {name: as_data(dataset, side) for name, dataset in evals.datasets.items()}


def shots_fit(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the numbers of shots that a dataset has too few images a class for."""
    if evals.fewshot is None:
        return
    sections = _datasets(evals, data)
    for dataset in filter(sections.__contains__, evals.fewshot.datasets):
        label, images = _fewest(sections[dataset])
        hint = f"it has {images:,} a class"
        if label is not None:
            hint = f"it has {images:,} of class {label}"
        for i, shots in enumerate(evals.fewshot.shots):
            if 0 < images < shots:
                message = f"{shots:,} images a class are more than {dataset} has beside the held-out ones"
                yield Finding(("evals", "fewshot", "shots", i), message, hint)


def _fewest(data: Data) -> tuple[int | None, int]:
    """The class with the fewest images and their number, where labels are at hand, or else the mean number."""
    facts = known(data)
    images = PLENTY if facts.endless else left(data)
    mean = images // facts.num_classes
    counts = registry.class_counts(data.source.kind, data.source.path) if data.source.path else None
    if not counts:
        return None, mean
    label, count = min(counts.items(), key=lambda item: (item[1], item[0]))
    if count < mean:
        return label, count
    return None, mean


def finetuning_fits(evals: Evals, models: dict[str, Model]) -> Iterator[Finding]:
    """Yield the warmup that never ends, and the resolution that a patch is larger than."""
    tuning = evals.finetune
    if tuning and tuning.warmup is not None and tuning.warmup >= tuning.steps:
        yield Finding(("evals", "finetune", "warmup"), f"{tuning.warmup:,} of {tuning.steps:,} steps", "lower it")
    for name, model in models.items():
        if tuning and tuning.resolution and model.patch_size > tuning.resolution:
            message = f"{tuning.resolution} pixels are less than a patch of {name}, {model.patch_size} pixels"
            yield Finding(("evals", "finetune", "resolution"), message, "raise it")


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
