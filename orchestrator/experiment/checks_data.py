"""What no single key shows of images and evaluations: files, datasets, shots and metrics that don't fit."""

from collections.abc import Iterator
from dataclasses import replace

from scalectl.analysis.vocabulary import is_accuracy
from scalectl.orchestrator.errors import Finding, KeyPath, did_you_mean
from scalectl.orchestrator.experiment.evaluations import Evals
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.hints import accuracy
from scalectl.orchestrator.experiment.images import Columns, Data
from scalectl.orchestrator.experiment.schema import Model, Train
from scalectl.orchestrator.experiment.sources import class_counts, listed
from scalectl.orchestrator.experiment.specs import (
    as_data,
    contents,
    evaluations,
    held_out,
    known,
    left,
    own_name,
    train_part,
)
from scalectl.orchestrator.format import few
from scalectl.trainer.data import registry
from scalectl.trainer.data.facts import PLENTY


def classes_have_images(data: Data) -> Iterator[Finding]:
    """Yield, as a warning, the classes without an image."""
    if not data.source.path:
        return
    num_classes = known(data).num_classes
    counts = class_counts(train_part(data), num_classes)
    if not counts:
        return
    names = contents(data).classes
    if num_classes == 1:
        hint = "there is nothing to tell apart"
        if data.source.kind == "folder":
            hint += ": the folders right below PATH are the classes"
        yield Finding(("data", "source"), f"{data.source} has one class: {few(names) or 0}", hint, severity="warning")
    empty = [label for label in range(num_classes) if label not in counts]
    if empty:
        shown = listed(tuple(names[label] if label < len(names) else str(label) for label in empty))
        message = f"{data.source} has no images of {len(empty):,} of {num_classes:,} classes: {shown}"
        yield Finding(("data", "source"), message, severity="warning")


def several_labels(data: Data) -> bool:
    """Tell whether an image can have more labels than one; raises Unreadable."""
    return bool(data.source.path) and contents(data).several_labels


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
    unused = {"resize": "no pictures to resize", "test": "no files", "test_labels": "no files"}
    unused |= dict.fromkeys(("orientation", "background", "range"), "no pictures to decode")
    if isinstance(registry.source(data.source.kind), registry.InMemory):
        unused |= {"image_size": "their own image_size", "num_classes": "their own num_classes"}
    for key, reason in unused.items():
        if not data.source.path and getattr(data, key) is not None:
            yield Finding(("data", key), f"{data.source} have {reason}", "remove it", True)
    source = registry.source(data.source.kind)
    if data.columns != Columns() and not (isinstance(source, registry.Files) and source.has_columns):
        yield Finding(("data", "columns"), f"{data.source} has no columns", "remove it", True)
    if data.test_labels and not (data.test and data.source.kind == "folder"):
        hint = "give data.source: folder:PATH, and the flat folder as data.test; or write csv:FILE"
        yield Finding(("data", "test_labels"), "a list of labels is read for the test split of folder:PATH", hint, True)


def datasets_have_names(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets whose names are taken or can't be part of a metric's, and those that nothing uses."""
    used = [dataset for _, dataset in _datasets_in_use(evals)]
    for name in evals.datasets:
        path: KeyPath = ("evals", "datasets", name)
        if name in _own_names(evals, data):
            yield Finding(path, f"{name!r} is the name of the study's own images", "give it another name", True)
        elif "/" in name:
            yield Finding(path, f"{name!r}: a name with / would part the name of its metric", "use another sign", True)
        elif name not in used:
            yield Finding(path, "no evaluation uses it", "name it in evals.fewshot or evals.finetune", True, "warning")


def datasets_exist(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the datasets of evaluations that are neither listed nor the study's own images."""
    names = [*_own_names(evals, data), *evals.datasets]
    for path, name in _datasets_in_use(evals):
        if name not in names:
            hint = did_you_mean(name, names) or f"evals.datasets lists them; the study's own is {names[0]!r}"
            yield Finding(path, f"no dataset {name!r}", hint)


def _own_names(evals: Evals, data: Data) -> list[str]:
    """The names of the study's own images; the kind of their source is one, which older files have."""
    name = own_name(data)
    if not data.name and name in evals.datasets:
        return [data.source.kind]
    return list(dict.fromkeys((name, data.source.kind)))


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
    return dict.fromkeys(_own_names(evals, data), data) | {
        name: as_data(dataset, side) for name, dataset in evals.datasets.items()
    }


def shots_fit(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the numbers of shots that a dataset has too few images a class for; as a warning, where it may have."""
    if evals.fewshot is None:
        return
    sections = _datasets(evals, data)
    for dataset in filter(sections.__contains__, evals.fewshot.datasets):
        data = sections[dataset]
        label, images = _fewest(data)
        hint = f"it has {images:,} a class"
        beside = images
        if label is not None:
            hint = f"it has {images:,} of class {label}"
            beside = images * left(data) // known(data).num_images  # all but the share of those held out
        for i, shots in enumerate(evals.fewshot.shots):
            path = ("evals", "fewshot", "shots", i)
            if 0 < images < shots:
                message = f"{shots:,} images a class are more than {dataset} has beside the held-out ones"
                yield Finding(path, message, hint)
            elif images > 0 and beside < shots:
                message = f"{shots:,} images a class may be more than {dataset} has beside the held-out ones"
                yield Finding(path, message, f"{hint}, of which about {beside:,} are left", severity="warning")


def _fewest(data: Data) -> tuple[int | None, int]:
    """The class with the fewest images and their number, where labels are at hand, or else the mean number."""
    facts = known(data)
    images = PLENTY if facts.endless else left(data)
    mean = images // facts.num_classes
    counts = train_part(data).class_counts() if data.source.path else None
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


def rates_can_be_compared(evals: Evals, data: Data) -> Iterator[Finding]:
    """Yield the dataset of a fine-tuning of several rates that has no image beside those that rates are compared on."""
    if (tuning := evals.finetune) is None or len(tuning.lrs) < 2:
        return
    section = _datasets(evals, data).get(tuning.dataset)
    if section and left(section) == 1:
        message = f"{tuning.dataset} has 1 image to train on, and several rates are compared on one that is not"
        yield Finding(("evals", "finetune", "lrs"), message, "give one rate, or more images")


def metrics_are_measured(evals: Evals, fits: dict[str, Fit]) -> Iterator[Finding]:
    """Yield the fits of a metric that no evaluation measures, or that has no law."""
    measured = list(evaluations(evals, 0, {}).metrics())
    for name, fit in fits.items():
        if fit.metric not in measured:
            near = accuracy(fit.metric, "upstream/error") or did_you_mean(fit.metric, measured)
            hint = near or f"evals measures {', '.join(measured)}"
            yield Finding(("fits", name, "metric"), f"{fit.metric!r} is not measured", hint)
        elif is_accuracy(fit.metric):
            yield Finding(("fits", name, "metric"), f"{fit.metric!r} rises, and a law falls", "fit upstream/error")


EVALS = (
    evaluated_have_one_label,
    shots_fit,
    finetuning_fits,
    rates_can_be_compared,
    datasets_have_names,
    datasets_exist,
    datasets_fit,
    metrics_are_measured,
)
