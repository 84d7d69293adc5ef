"""Weights that are no longer finite after the last step: the run has diverged, whatever is measured on them."""

from dataclasses import replace

import numpy as np
import pytest
from test_train import TRUNK, job, of, readings, told

from scalectl.trainer.data.images import Images
from scalectl.trainer.evaluate import NotFinite, fewshot
from scalectl.trainer.events import Done, Failed, Measurement
from scalectl.trainer.spec import EvalSpec, FewshotSpec, FinetuneSpec, RunSpec

LOST = {"optimizer": "adamw", "lr": 1e8, "weight_decay_head": 0.0, "weight_decay_body": 0.0, "head": "gap", "warmup": 0}
OTHER = replace(TRUNK.data, subset_seed=1)
TUNING = FinetuneSpec("digits", 2, 16, (0.03,), 0, 8)


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    trunk = replace(TRUNK, recipe=replace(TRUNK.recipe, schedule="trapezoidal", timescale=0, **LOST))
    return job(tmp_path_factory.mktemp("lost"), trunk=trunk, run=RunSpec(trunk, 2, 1), stop=2)


@pytest.mark.parametrize(
    "evals",
    [
        EvalSpec(("loss",)),
        EvalSpec(("error",)),
        EvalSpec(("precision@1",)),
        EvalSpec((), (FewshotSpec("digits", 2, 2, 1024.0),)),
        EvalSpec((), (FewshotSpec("other", 2, 2, 1024.0, OTHER),)),
        EvalSpec((), (), TUNING),
    ],
    ids=["loss", "error", "precision", "few shots", "few shots of others", "fine-tuning"],
)
def test_a_run_whose_weights_are_lost_has_diverged_whatever_is_measured(evals, lost):
    events = told(replace(lost, evals=evals))
    end = events[-1]
    assert isinstance(end, Failed) and (end.kind, end.step) == ("nonfinite", 2), end
    assert "is not finite after 2 steps" in end.reason and not of(Measurement, events)


def test_a_fine_tuning_that_alone_is_lost_leaves_the_run_done(tmp_path):
    tuning = replace(TUNING, steps=6, lrs=(1e38,))
    events = told(job(tmp_path, run=RunSpec(TRUNK, 2, 1), stop=2, evals=EvalSpec((), (), tuning)))
    assert isinstance(events[-1], Done) and np.isnan(readings(events)["finetune/digits/error"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_features_that_no_regression_can_take_are_said(value):
    labels = np.arange(40) % 4
    sound = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    lost = sound.copy()
    lost[::3, 2] = value
    spec = FewshotSpec("digits", 5, 1, 1024.0)
    with pytest.raises(NotFinite):
        fewshot(Images(lost, labels), Images(sound, labels), spec)
    if not np.isfinite(value):
        with pytest.raises(NotFinite):
            fewshot(Images(sound, labels), Images(lost, labels), spec)
