"""The studies that come with scalectl are valid."""

from pathlib import Path

import pytest
from pictures import cifar10

from scalectl.orchestrator.experiment.reading import read

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["experiments.yaml", "studies/synthetic.yaml"])
def test_a_study_is_valid_without_warnings(name):
    experiment = read(ROOT / name)
    assert experiment.cells and experiment.warnings == ()


def test_the_study_of_cifar10_is_valid_where_its_files_are():
    overrides = [("data.source", f"parquet:{cifar10('train')}"), ("data.test", str(cifar10("test")))]
    experiment = read(ROOT / "studies" / "cifar10.yaml", overrides)
    assert len(experiment.cells) == 36 and experiment.warnings == ()
    assert experiment.cells[0].run.trunk.data.held_out == 10_000
