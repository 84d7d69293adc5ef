"""Sections of a checked experiments.yaml to the specs of the trainer, with every default resolved."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scalectl.orchestrator.experiment.schema import Data, Dataset, Evals, Finetune, Model, Train
from scalectl.trainer.files import Contents
from scalectl.trainer.sources import ENDLESS, Facts, facts
from scalectl.trainer.spec import DataSpec, EvalSpec, FewshotSpec, FinetuneSpec, ModelSpec, RecipeSpec, preset
from scalectl.trainer.stores import contents
from scalectl.trainer.tfds import split_beside

HELD_OUT_OF_ENDLESS = 1000


def shape(model: Model) -> ModelSpec:
    """Return the shape of a model that passed the checks."""
    if model.preset:
        return preset(model.preset, model.patch_size)
    width = model.width or 0
    return ModelSpec(width, model.depth or 0, model.mlp_dim or 4 * width, model.num_heads or 0, model.patch_size)


def known(data: Data) -> Facts:
    """Return the counts of the study's source, with what the file asks of it; raises Unreadable."""
    found = _in_files(contents(data.source.kind, data.source.path)) if data.source.path else facts(data.source.kind)
    asked = {"image_size": data.image_size, "num_classes": data.num_classes}
    return found._replace(**{name: value for name, value in asked.items() if value is not None})


def _in_files(found: Contents) -> Facts:
    """Return the counts of images in files; their side is asked for, and so are classes that files don't tell."""
    labels = 0 if found.largest is None else found.largest + 1
    return Facts(found.num_images, 0, 3, found.num_classes or labels)


def test_path(data: Data) -> str:
    """Return where the test split lies: as given, or that of a TFDS dataset; empty where there is none."""
    if data.source.kind == "tfds":
        return split_beside(data.source.path, Path(data.test).name if data.test else "")
    return data.test or ""


def held_out(data: Data) -> int:
    """Return how many images are never trained on: a fifth of the source, rounded up, unless given."""
    if test_path(data) and data.source.path:
        return data.held_out or contents(data.source.kind, test_path(data)).num_images
    num_images = known(data).num_images
    return data.held_out or (HELD_OUT_OF_ENDLESS if num_images == ENDLESS else -(-num_images // 5))


def left(data: Data) -> int:
    """Return how many images there are to train on."""
    return known(data).num_images - (0 if test_path(data) else held_out(data))


def subset(data: Data, size: int) -> DataSpec:
    """Return the nested subset of `size` images."""
    found = known(data)
    return DataSpec(
        source=data.source.kind,
        size=size,
        held_out=held_out(data),
        subset_seed=data.subset_seed,
        shift=data.augment.shift,
        image_size=found.image_size,
        channels=found.channels,
        num_classes=found.num_classes,
        stratified=data.stratified,
        crop=data.augment.crop,
        flip=data.augment.flip,
        resize=(data.resize or found.image_size) if data.source.path else 0,
        content=contents(data.source.kind, data.source.path).digest if data.source.path else "",
        test_content=contents(data.source.kind, test_path(data)).digest if test_path(data) else "",
        path=data.source.path,
        test_path=test_path(data),
    )


def recipe(train: Train, num_classes: int, swept: Iterable[tuple[str, Any]] = ()) -> RecipeSpec:
    """Return the recipe with pairs of setting and value in place of what `train` says.

    A head bias that was left out starts a sigmoid at the odds of one class in all.
    """
    whole = replace(_recipe(train, num_classes), **dict(swept))
    return replace(whole, microbatch=0) if whole.microbatch == whole.batch_size else whole


def _recipe(train: Train, num_classes: int) -> RecipeSpec:
    bias = -math.log(num_classes) if train.loss == "sigmoid" else 0.0
    return RecipeSpec(
        batch_size=train.batch_size,
        precision=train.precision,
        head=train.head,
        head_bias=bias if train.head_bias is None else train.head_bias,
        loss=train.loss,
        optimizer=train.optimizer.name,
        lr=train.optimizer.lr,
        clip_norm=train.optimizer.clip_norm,
        weight_decay_head=train.optimizer.weight_decay.head,
        weight_decay_body=train.optimizer.weight_decay.body,
        warmup=train.schedule.warmup,
        timescale=train.schedule.timescale or 0,
        schedule=train.schedule.name,
        positions=train.positions,
        layers=train.layers,
        remat=train.remat,
        microbatch=train.microbatch or 0,
    )


def as_data(dataset: Dataset, side: int) -> Data:
    """Return a dataset of evaluations as if it were a study's own, seen at `side`; digits have a side of their own."""
    seen = None if dataset.source.kind == "digits" else side
    asked = {name: getattr(dataset, name) for name in Dataset.model_fields}
    return Data.model_construct(**asked, sizes=(1,), image_size=seen)


def datasets(evals: Evals, side: int) -> dict[str, DataSpec]:
    """Return the datasets of evaluations by name, for models that see images at `side`; raises Unreadable."""
    return {name: subset(as_data(dataset, side), 0) for name, dataset in evals.datasets.items()}


def evaluations(evals: Evals, side: int, images: Mapping[str, DataSpec]) -> EvalSpec:
    """Return what is measured at the end of a run, one few-shot spec for each dataset and number of shots.

    A name that `images` lacks is the study's own images, whose side is `side`.
    """
    few, tuning = evals.fewshot, evals.finetune
    specs = [(of, shots) for of in few.datasets for shots in few.shots] if few else []
    fewshot = tuple(FewshotSpec(of, shots, few.seeds, few.l2, images.get(of)) for of, shots in specs) if few else ()
    tuned = finetune(tuning, side, images.get(tuning.dataset)) if tuning else None
    return EvalSpec(evals.upstream.metrics, fewshot, tuned)


def finetune(asked: Finetune, side: int, data: DataSpec | None) -> FinetuneSpec:
    """Return how models are fine-tuned; the paper warms up for 500 of 20,000 steps."""
    return FinetuneSpec(
        dataset=asked.dataset,
        steps=asked.steps,
        batch_size=asked.batch_size,
        lrs=asked.lrs,
        warmup=asked.steps // 40 if asked.warmup is None else asked.warmup,
        resolution=asked.resolution or side,
        data=data,
        schedule=asked.schedule,
        ema=asked.ema or 0.0,
    )
