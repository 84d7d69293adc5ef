"""Fine-tuning, as appendix D of the paper does it: all weights, on another dataset, perhaps at another resolution."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import jax
import numpy as np

from trainer.draws import Purpose, endless, permutation
from trainer.flops import TRAINING, flops_per_image
from trainer.optimizer import Settings
from trainer.positions import resampled
from trainer.spec import FinetuneSpec, Schedule
from trainer.step import Programs, Shape, State, dispatch, zeros
from trainer.subset import Images
from trainer.vit import ViT

HELD_OUT = 0.02  # of the training images, to choose the learning rate on
Params = Any  # a nested dict of arrays


def finetune(vit: ViT, params: Params, pool: Images, test: Images, spec: FinetuneSpec) -> float:
    """Return the error on `test` after fine-tuning on all of `pool` at the rate that is best on a part of it.

    It is NaN when the loss is not finite at any of the rates.
    """
    larger = enlarged(vit, spec.resolution, int(pool.labels.max()) + 1)
    pool, test = (resized(images, spec.resolution) for images in (pool, test))
    tuning = _Tuning(larger, transferred(params, larger), spec)
    lr = spec.lrs[0] if len(spec.lrs) == 1 else tuning.best_rate(pool)
    error, loss = tuning.measured(tuning.tuned(pool, lr), test)
    return error if np.isfinite(loss) else float("nan")


def enlarged(vit: ViT, resolution: int, num_classes: int) -> ViT:
    """Return the model at another resolution, with a head for other classes."""
    return vit.clone(image_size=resolution, num_classes=num_classes, head_bias=0.0)


def transferred(params: Params, to: ViT) -> Params:
    """Return weights for a model of another resolution: the head zero, learned positions resampled, the rest kept."""
    body = dict(jax.device_get(params)["params"])
    head = {"kernel": (to.model.width, to.num_classes), "bias": (to.num_classes,)}
    body["head"] = {name: np.zeros(shape, np.float32) for name, shape in head.items()}
    if "positions" in body:
        body["positions"] = resampled(body["positions"], to.image_size // to.model.patch_size)
    return {"params": body}


def resized(images: Images, side: int) -> Images:
    """Return images of `side` x `side` pixels, bilinear between those that there are."""
    count, height, width, channels = images.pixels.shape
    if (height, width) == (side, side):
        return images
    pixels = jax.image.resize(images.pixels, (count, side, side, channels), "bilinear")
    return replace(images, pixels=np.asarray(pixels))


def best(readings: Mapping[float, tuple[float, float]]) -> float:
    """Return the rate with the least error, of equal ones that with the least loss; one not finite is the worst."""

    def rank(rate: float) -> tuple[bool, float, float]:
        error, loss = readings[rate]
        return not np.isfinite(loss), error, loss

    return min(readings, key=rank)


class _Tuning:
    """Weights to begin from, and the compiled programs that move them."""

    def __init__(self, vit: ViT, params: Params, spec: FinetuneSpec) -> None:
        counts = {"image_size": vit.image_size, "channels": vit.channels, "num_classes": vit.num_classes}
        flops = TRAINING * spec.batch_size * flops_per_image(vit.model, head=vit.head, **counts)
        self.programs = Programs(Shape(vit, spec.batch_size, "softmax", "sgd", dispatch(flops)))
        self.params, self.spec = params, spec

    def best_rate(self, pool: Images) -> float:
        """Return the learning rate that is best on a part of `pool` when the rest is trained on."""
        order = permutation(0, Purpose.FINETUNE, 0, len(pool))
        kept = max(1, round(HELD_OUT * len(pool)))
        held_out, rest = pool.take(order[:kept]), pool.take(order[kept:])
        return best({lr: self.measured(self.tuned(rest, lr), held_out) for lr in self.spec.lrs})

    def tuned(self, images: Images, lr: float) -> Params:
        """Return the weights after all steps on `images`."""
        batch, each, at = self.spec.batch_size, self.programs.shape.steps, rates(self.spec, lr)
        state: State = jax.device_put(zeros(self.programs.shape)._replace(params=self.params))
        for step in range(0, self.spec.steps, each):
            count = min(each, self.spec.steps - step)
            places = np.arange(step * batch, (step + count) * batch)
            rows = endless(0, Purpose.FINETUNE, places, len(images)).reshape(count, batch)
            state, _ = self.programs.train(state, images.pixels[rows], images.labels[rows], at)
        return state.params

    def measured(self, params: Params, images: Images) -> tuple[float, float]:
        """Return the error and the mean loss of weights on `images`."""
        read = self.programs.read(params, images.pixels, images.labels)
        return float(np.mean(read.wrong)), float(np.mean(read.loss, dtype=np.float64))


def rates(spec: FinetuneSpec, lr: float) -> Settings:
    """Return the settings of a fine-tuning: warmup, half a cosine, a gradient norm of at most 1, no weight decay."""
    cosine = get_args(Schedule).index("cosine")
    counts = map(np.int32, (spec.warmup, 0, spec.steps, 1, cosine))
    return Settings(*map(np.float32, (lr, 1.0, 0.0, 0.0)), *counts)
