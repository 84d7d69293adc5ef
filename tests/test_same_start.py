"""The trainer beside a plain script in Flax Linen and Optax, from equal weights and on equal batches."""

from pathlib import Path

import pytest

from scalectl.orchestrator.experiment.reading import read

STUDY = """
version: 1
name: same-start
models: {w32: {width: 32, depth: 2, num_heads: 2, patch_size: 4}}
data: {source: digits, sizes: [512], augment: {shift: 1, flip: true}}
train:
  batch_size: 64
  head: map
  loss: sigmoid
  optimizer: {name: adafactor, lr: 1e-3, clip_norm: 1.0, weight_decay: {head: 3.0, body: 0.03}}
  schedule: {name: rsqrt, warmup: 30, timescale: 200, cooldown: 20%}
budgets: {steps: [50]}
evals:
  upstream: {metrics: [loss, error]}
"""


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import same_start

    return same_start


@pytest.mark.slow
def test_the_trainer_takes_the_steps_of_a_plain_script_from_the_same_weights_on_the_same_batches(benchmark, tmp_path):
    """Through warmup, decay and cooldown; only what Adafactor factors differs with the script's layout."""
    (tmp_path / "experiments.yaml").write_text(STUDY)
    (cell,) = read(tmp_path / "experiments.yaml").cells
    apart = {layout: benchmark.trained(cell.run, layout)[0] for layout in benchmark.LAYOUTS}
    assert apart["matrices"] < 1e-4 < apart["script"]
