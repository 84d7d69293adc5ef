"""The studies that come with scalectl are valid."""

from pathlib import Path

import pytest

from orchestrator.experiment import read

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["experiments.yaml", "studies/synthetic.yaml"])
def test_a_study_is_valid_without_warnings(name):
    experiment = read(ROOT / name)
    assert experiment.cells and experiment.warnings == ()
