"""Sections of a checked experiments.yaml to the specs of the trainer, with every default resolved."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from scalectl.orchestrator.experiment.evaluations import Evals, Fewshot, Finetune
from scalectl.orchestrator.experiment.images import Data, Dataset
from scalectl.orchestrator.experiment.schema import Model, Train
from scalectl.trainer.canonical import canonical_json
from scalectl.trainer.data import registry
from scalectl.trainer.data.facts import Contents, Facts
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.splits import EVALUATED, named_by
from scalectl.trainer.data.survey import survey
from scalectl.trainer.presets import preset
from scalectl.trainer.selection import Selection
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec, FinetuneSpec, ModelSpec, RecipeSpec

HELD_OUT_OF_ENDLESS = 1000


def shape(model: Model) -> ModelSpec:
    """The shape of a model that passed the checks."""
    if model.preset:
        return replace(preset(model.preset, model.patch_size), **_own(model))
    width, heads = model.width or 0, model.num_heads or int(bool(model.architecture))
    return ModelSpec(width, model.depth or 0, model.mlp_dim or 4 * width, heads, model.patch_size, **_own(model))


def _own(model: Model) -> dict[str, Any]:
    """What makes a model one's own."""
    if model.architecture is None:
        return {}
    return {"architecture": model.architecture, "options": canonical_json(model.options) if model.options else ""}


def known(data: Data) -> Facts:
    """The facts of the study's source, with the side and classes that the file gives; raises Unreadable."""
    facts = registry.facts(train_part(data))
    given = {"image_size": data.image_size, "num_classes": data.num_classes}
    return facts._replace(**{name: value for name, value in given.items() if value is not None})


def training(data: Data) -> Selection:
    """What is read of the files of a source."""
    return Selection("train", data.columns.image or "", data.columns.label or "")


def train_part(data: Data) -> Part:
    """The part of a source's files that is trained on."""
    return Part(data.source.kind, data.source.path, training(data))


def contents(data: Data) -> Contents:
    """What is in the files that are trained on; raises Unreadable."""
    return train_part(data).contents()


def test_path(data: Data) -> str:
    """The path of the test split: as given, or that of a named dataset; empty where there is none.

    It is the path of the source where the files there are of several splits, one of them to evaluate on.
    """
    source, test = registry.source(data.source.kind), data.test or ""
    if isinstance(source, registry.Named):
        return source.format().test_path(data.source.path, Path(test).name)
    if not test and data.source.path and any(split in EVALUATED for split, _ in contents(data).splits):
        return data.source.path
    return test


def testing(data: Data) -> Selection:
    """What is read of the files of the test split."""
    return replace(training(data), purpose="test", labels=data.test_labels or "")


def test_part(data: Data) -> Part:
    """The part of a source's files that is evaluated on, its path empty where there is none; raises Unreadable."""
    if not (path := test_path(data)):
        return Part(data.source.kind)
    return train_part(data).test(path, testing(data))


def test_contents(data: Data) -> Contents:
    """What is in the files of the test split, where there is one; raises Unreadable."""
    return test_part(data).contents()


def held_out(data: Data) -> int:
    """The number of images never trained on: by default all of a test split, or a fifth of the source, rounded up."""
    if data.held_out:
        return data.held_out
    if test_path(data) and data.source.path:
        return test_contents(data).num_images
    facts = known(data)
    if facts.endless:
        return HELD_OUT_OF_ENDLESS
    return -(-facts.num_images // 5)


def left(data: Data) -> int:
    """The number of images to train on."""
    if test_path(data):
        return known(data).num_images
    return known(data).num_images - held_out(data)


def subset(data: Data, size: int, name: str = "") -> DataSpec:
    """The nested subset of `size` images of a data set of this name, or of the study's own; raises Unreadable."""
    facts, path = known(data), test_path(data)
    return DataSpec(
        source=registry.called(data.source.kind),
        size=size,
        held_out=held_out(data),
        subset_seed=data.subset_seed,
        shift=data.augment.shift,
        image_size=facts.image_size,
        channels=facts.channels,
        num_classes=facts.num_classes,
        stratified=data.stratified,
        crop=data.augment.crop,
        flip=data.augment.flip,
        resize=(data.resize or facts.image_size) if data.source.path else 0,
        content=contents(data).digest if data.source.path else "",
        test_content=test_contents(data).digest if path else "",
        path=data.source.path,
        test_path=path,
        selection=training(data),
        test_selection=testing(data),
        name=name or own_name(data),
        max_pixels=data.max_pixels,
        cache=(data.cache or 0) if data.augment.crop else 0,
        cached=max(data.sizes) if data.cache else 0,
        **_decoding(data),
    )


def _decoding(data: Data) -> dict[str, Any]:
    """How pictures are decoded: where the file leaves it open, what the pictures need that planning looks at.

    So a run whose pictures need nothing keeps the id that it had before there was anything to say.
    """
    if not data.source.path:
        return {}
    surveys = [survey(part) for part in (train_part(data), test_part(data)) if part.path]
    black, white = data.range or (0.0, 0.0)
    decoding: dict[str, Any] = {"black": black, "white": white}
    left_open = []
    if data.orientation or any(seen.turned for seen in surveys):
        decoding["orientation"] = data.orientation or "turned"
    else:
        left_open.append("orientation")
    if data.background or any(seen.transparent for seen in surveys):
        decoding["background"] = data.background or "white"
    else:
        left_open.append("background")
    decoding["left_open"] = tuple(left_open)
    if any(seen.deep for seen in surveys):
        decoding["levels"] = "scaled"
    return decoding


def own_name(data: Data) -> str:
    """The name of the study's images: as given, or the first word of their path that names no split, or their kind."""
    kind, _, place = data.source.typed.partition(":")
    if data.name or not place:
        return data.name or data.source.kind
    if isinstance(registry.source(kind), registry.Named):
        return re.split("[/:]", place)[0]
    return named_by(place) or kind


def recipe(train: Train, num_classes: int, swept: Iterable[tuple[str, Any]] = ()) -> RecipeSpec:
    """The recipe that `train` gives, with pairs of setting and value in place of its own.

    A head bias that was left out starts a sigmoid at the odds of one class in all.
    """
    whole = replace(_recipe(train, num_classes), **dict(swept))
    if whole.microbatch == whole.batch_size:
        return replace(whole, microbatch=0)
    return whole


def _recipe(train: Train, num_classes: int) -> RecipeSpec:
    settings = {
        **dict(train.optimizer),
        **dict(train.schedule),
        **dict(train),
        # settings that have another name than their key, or a value where the key has none
        "optimizer": train.optimizer.name,
        "weight_decay_head": train.optimizer.weight_decay.head,
        "weight_decay_body": train.optimizer.weight_decay.body,
        "schedule": train.schedule.name,
        "timescale": train.schedule.timescale or 0,
        "head_bias": _head_bias(train, num_classes),
        "microbatch": train.microbatch or 0,
    }
    return RecipeSpec(**{setting.name: settings[setting.name] for setting in fields(RecipeSpec)})


def _head_bias(train: Train, num_classes: int) -> float:
    if train.head_bias is not None:
        return train.head_bias
    if train.loss == "sigmoid":
        return -math.log(num_classes)
    return 0.0


def as_data(dataset: Dataset, side: int) -> Data:
    """A dataset of evaluations as if it were a study's own, seen at `side` unless in memory at a side of its own."""
    in_memory = isinstance(registry.source(dataset.source.kind), registry.InMemory)
    return Data.model_construct(**dict(dataset), sizes=(1,), image_size=None if in_memory else side)


def datasets(evals: Evals, side: int) -> dict[str, DataSpec]:
    """The datasets of evaluations by name, for models that see images at `side`; raises Unreadable."""
    return {name: subset(as_data(dataset, side), 0, name) for name, dataset in evals.datasets.items()}


def evaluations(evals: Evals, side: int, images: Mapping[str, DataSpec]) -> EvalSpec:
    """The measurements at the end of a run, one few-shot spec for each dataset and number of shots.

    A name that `images` lacks is the study's own images, whose side is `side`.
    """
    finetuning = None
    if evals.finetune:
        finetuning = finetune(evals.finetune, side, images.get(evals.finetune.dataset))
    return EvalSpec(evals.upstream.metrics, tuple(_fewshot(evals.fewshot, images)), finetuning)


def _fewshot(section: Fewshot | None, images: Mapping[str, DataSpec]) -> Iterator[FewshotSpec]:
    if section is None:
        return
    for dataset, shots in product(section.datasets, section.shots):
        yield FewshotSpec(dataset, shots, section.seeds, section.l2, images.get(dataset))


def finetune(section: Finetune, side: int, data: DataSpec | None) -> FinetuneSpec:
    """The fine-tuning of a model; the paper warms up for 500 of 20,000 steps."""
    warmup = section.warmup
    if warmup is None:
        warmup = section.steps // 40
    return FinetuneSpec(
        dataset=section.dataset,
        steps=section.steps,
        batch_size=section.batch_size,
        lrs=section.lrs,
        warmup=warmup,
        resolution=section.resolution or side,
        data=data,
        schedule=section.schedule,
        ema=section.ema or 0.0,
    )
