"""Labels and ranks of held-out images, and the metrics of one's own that are made of them."""

import jax.numpy as jnp
import numpy as np
from test_experiment import write

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer import own
from scalectl.trainer.answers import ranked, wrong
from scalectl.trainer.events import Measurement
from scalectl.trainer.train import train

METRICS = {
    "by_class": "sum(read.wrong[read.labels == n].sum() for n in range(10)) / len(read.labels)",
    "top1": "(read.rank >= 1).mean()",
    "top9": "(read.rank >= 9).mean()",
    "top10": "(read.rank >= 10).mean()",
}
STUDY = """\
version: 1
name: mine
code: [ranks.py]
models: {nano: {width: 8, depth: 1, num_heads: 2, patch_size: 4}}
data: {source: digits, sizes: [60]}
train: {batch_size: 20, optimizer: {name: adamw, lr: 3e-2}, schedule: {name: linear, warmup: 5}}
budgets: {steps: [40]}
evals: {upstream: {metrics: [error, by_class, top1, top9, top10]}}
"""


def test_a_metric_sees_labels_and_ranks(tmp_path):
    code = [f"@metric({name!r})\ndef {name}(read):\n    return {text}\n" for name, text in METRICS.items()]
    (tmp_path / "ranks.py").write_text("\n".join(["from scalectl.extend import metric\n", *code]))
    jobs = plan(read(write(tmp_path, STUDY))).jobs
    events = [event for planned in jobs for event in train(planned.job)]
    own.use([])  # no other test is to see these names
    found = {event.metric.partition("@")[0]: event.value for event in events if isinstance(event, Measurement)}
    assert found["upstream/by_class"] == found["upstream/top1"] == found["upstream/error"]
    assert found["upstream/error"] > found["upstream/top9"] >= found["upstream/top10"] == 0


def test_the_rank_counts_the_classes_before_the_label_or_the_best_of_several():
    logits = jnp.asarray([[0.0, 3.0, 1.0], [2.0, 2.0, 2.0], [9.0, 3.0, 1.0]])
    assert ranked(logits, jnp.asarray([0, 1, 0])).tolist() == [2, 1, 0]
    assert ranked(logits, jnp.asarray([[1, 0, 1], [0, 1, 1], [0, 0, 0]])).tolist() == [1, 1, 3]
    assert ranked(logits, jnp.asarray([7, -1, 2])).tolist() == [3, 3, 2]  # of classes that the model doesn't have


def test_the_answers_of_rank_0_are_those_that_are_right():
    random = np.random.default_rng(37)
    logits, labels = jnp.asarray(random.integers(0, 3, (99, 4)), jnp.float32), jnp.asarray(random.integers(0, 4, 99))
    np.testing.assert_array_equal(ranked(logits, labels) > 0, wrong(logits, labels))
