"""Fine-tuning, as appendix D of the paper does it: all weights, on another dataset, perhaps at another resolution."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from scalectl.trainer import own_model
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.evalset import EvalSet, heed, readings
from scalectl.trainer.events import Stop
from scalectl.trainer.flops import TRAINING, dispatch, flops_per_image
from scalectl.trainer.optimizer import NEVER, Settings, family
from scalectl.trainer.own_model import Net
from scalectl.trainer.positions import resampled
from scalectl.trainer.programs import Programs
from scalectl.trainer.rng import Purpose, endless, permutation
from scalectl.trainer.sharding import Layout, everywhere, gathered
from scalectl.trainer.spec import FinetuneSpec
from scalectl.trainer.step import Metrics, Shape, zeros
from scalectl.trainer.vit import ViT

HELD_OUT = 0.02  # of the training images, to choose the learning rate on
DIVERGED = (1.0, float("inf"))  # the error and the loss of weights that are not finite
Params = Any  # a nested dict of arrays


class Tuned(NamedTuple):
    """What fine-tuning came to, and what its programs cost to compile; the error is NaN where no rate stayed finite."""

    error: float
    compile_seconds: float
    compilations: int


def finetune(
    vit: ViT | Net,
    params: Params,
    pool: EvalSet,
    test: EvalSet,
    spec: FinetuneSpec,
    stopping: Stop,
    layout: Layout | None = None,
) -> Tuned:
    """The error on `test` after fine-tuning on all of `pool` at the rate that is best on a part of it.

    Where the loss is not finite at that rate after all, it is that of the next best one. `layout` is over the devices
    to train on, by default those of `sharding.everywhere`. Raises Interrupted.
    """
    larger = enlarged(vit, spec.resolution, pool.num_classes)
    tuning = Finetuning(larger, transferred(params, larger), spec, stopping, layout)
    error = next(tuning.errors(pool, test), float("nan"))
    return Tuned(error, tuning.programs.compile_seconds, tuning.programs.compilations)


def enlarged(vit: ViT | Net, resolution: int, num_classes: int) -> Any:
    """The model at another resolution, with a head for other classes."""
    return vit.clone(image_size=resolution, num_classes=num_classes, head_bias=0.0)


def transferred(params: Params, to: ViT | Net) -> Params:
    """Weights for a model of another resolution: the head zero, learned positions resampled, the rest kept."""
    if isinstance(to, Net):
        return own_model.transferred(gathered(params), to, resampled)
    body = dict(gathered(params)["params"])
    head = {"kernel": (to.model.width, to.num_classes), "bias": (to.num_classes,)}
    body["head"] = {name: np.zeros(shape, np.float32) for name, shape in head.items()}
    if "positions" in body:
        body["positions"] = resampled(body["positions"], to.image_size // to.model.patch_size)
    return {"params": body}


def ranked(readings: Mapping[float, tuple[float, float]]) -> list[float]:
    """The rates by their error, those of equal error by their loss; ones that are not finite come last."""

    def rank(rate: float) -> tuple[bool, float, float]:
        error, loss = readings[rate]
        return not np.isfinite(loss), error, loss

    return sorted(readings, key=rank)


class _Shuffled:
    """Batches of images in an endless row of epochs, or a part of each; a step alone decides which images it sees."""

    def __init__(self, images: EvalSet, size: int, part: slice) -> None:
        self.images, self._evalset, self._size, self._part = images.images, images, size, part

    def stacked(self, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The images (count, batch, side, side, channels) and labels (count, batch) after `step` updates."""
        places = np.arange(step * self._size, (step + count) * self._size).reshape(count, -1)[:, self._part].ravel()
        rows = endless(0, Purpose.FINETUNE, places, len(self._evalset))
        pixels = self._evalset[rows]
        return pixels.reshape(count, -1, *pixels.shape[1:]), self._evalset.labels[rows].reshape(count, -1)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The images (batch, side, side, channels) and labels (batch) after `step` updates."""
        pixels, labels = self.stacked(step, 1)
        return pixels[0], labels[0]


class Finetuning:
    """Weights to begin from, and the compiled programs that move them."""

    def __init__(
        self, vit: ViT | Net, params: Params, spec: FinetuneSpec, stopping: Stop, layout: Layout | None = None
    ) -> None:
        counts = {"image_size": vit.image_size, "channels": vit.channels, "num_classes": vit.num_classes}
        forward = flops_per_image(vit.model, head=vit.head, pre_logits=vit.pre_logits, **counts)
        flops = TRAINING * spec.batch_size * forward
        each = 1 if spec.ema else dispatch(flops)  # the average takes in the weights of every step
        self.programs = Programs(Shape(vit, spec.batch_size, "softmax", "sgd", each), layout=layout or everywhere())
        self.params, self.spec, self.stopping = params, spec, stopping

    def errors(self, pool: EvalSet, test: EvalSet) -> Iterator[float]:
        """Yield the error on `test` at each rate that stays finite on `pool`, the most promising one first."""
        for lr in self.rates(pool):
            error, loss = self.measured(self.tuned(pool, lr), test)
            if np.isfinite(loss):
                yield error

    def rates(self, pool: EvalSet) -> list[float]:
        """The learning rates, best first on a part of `pool` when all others are trained on."""
        if len(self.spec.lrs) == 1:
            return list(self.spec.lrs)
        order = permutation(0, Purpose.FINETUNE, 0, len(pool))
        kept = max(1, round(HELD_OUT * len(pool)))
        held_out, remaining = pool.take(order[:kept]), pool.take(order[kept:])
        return ranked({lr: self.measured(self.tuned(remaining, lr), held_out) for lr in self.spec.lrs})

    def tuned(self, images: EvalSet, lr: float) -> Params | None:
        """The weights after all steps on `images`, or their average; nothing once a gradient is not finite."""
        numbers, steps, each = rates(self.spec, lr), self.spec.steps, self.programs.shape.steps
        layout = self.programs.layout
        state = self.programs.put(zeros(self.programs.shape)._replace(params=self.params))
        average = layout.put(self.params) if self.spec.ema else None
        before: Metrics | None = None
        with closing(
            Loader(_Shuffled(images, self.spec.batch_size, layout.rows(self.spec.batch_size)), 0, steps, workers=0)
        ) as feed:
            for step in range(0, steps, each):
                heed(self.stopping)
                state, metrics = self.programs.train(state, *feed.stacked(min(each, steps - step)), numbers)
                if average is not None:
                    average = self.programs.averaged(average, state.params, self.spec.ema)
                if before and not np.isfinite(before.grad_norm).all():  # looked at one late: the device works meanwhile
                    return None
                before = metrics
        return state.params if average is None else average

    def measured(self, params: Params | None, images: EvalSet) -> tuple[float, float]:
        """The error and the mean loss of weights on `images`."""
        if params is None:
            return DIVERGED
        read = readings(self.programs, params, images, self.stopping)
        return float(np.mean(read.wrong)), float(np.mean(read.loss, dtype=np.float64))


def rates(spec: FinetuneSpec, lr: float) -> Settings:
    """The settings of a fine-tuning: warmup, half a cosine or none, a gradient norm of at most 1, no decay."""
    total, name = spec.steps, "cosine"
    if spec.schedule == "flat":
        total, name = NEVER, "trapezoidal"
    counts = map(np.int32, (spec.warmup, 0, total, 1, family(name)))
    return Settings(*map(np.float32, (lr, 1.0, 0.0, 0.0)), *counts)
