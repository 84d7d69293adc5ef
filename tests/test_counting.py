"""Numbers of things on screens and in refusals: one thing is never said in the plural."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_cli import scalectl

from scalectl.analysis import counting as of_analysis
from scalectl.analysis.law import Refused
from scalectl.analysis.runs import without
from scalectl.analysis.surface_runs import carries
from scalectl.orchestrator.cluster.ray_slots import lacking
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.format import counted
from scalectl.trainer import counting as of_trainer
from scalectl.trainer.memory import padding


def test_one_thing_is_in_the_singular_and_thousands_are_parted():
    assert [counted(number, "run") for number in (0, 1, 2, 12_000, 0.5)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "12,000 runs",
        "0.5 runs",
    ]
    assert of_analysis.counted(1, "size") == of_trainer.counted(1, "size") == "1 size"


def test_a_cluster_with_one_of_each_has_it_in_the_singular():
    labels = {"ray.io/accelerator-type": "H100"}
    nodes = [{"Alive": True, "NodeID": "37", "Labels": labels, "Resources": {"CPU": 1.0, "GPU": 1.0}}]
    assert lacking(["v5e-16"], nodes).endswith("the cluster has 1 CPU, 1 GPU of type h100 on 1 host")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("train.batch_size=1", "1 image can't be shared by the 8 devices of a slot of type v4-16"),
        ("budgets.steps=[1]", "1 step is too few: warmup alone is 4"),
    ],
)
def test_one_image_and_one_step_of_a_file(study, change, said):
    study.write("resources: {default: {type: v4-16}}\n")
    done = scalectl("validate", study.file, "--set", change)
    assert said in done.stdout + done.stderr


def test_the_only_run_that_is_done():
    points = pd.DataFrame({"run": ["a"], "state": ["done"], "excluded": [None]})
    with pytest.raises(Refused, match=r"^the only run that is done is held out: "):
        without(points, ["a"])


def test_the_only_run_of_a_law():
    with pytest.raises(Refused, match=r"^1 run, and a law with 5 parameters"):
        carries(np.array([1.0]), np.array([1.0]), tied=False)


def test_the_only_token_of_an_image_that_is_one_patch(study):
    trunk = read(study.write()).cells[0].run.trunk
    model = replace(trunk.model, patch_size=trunk.data.image_size)
    recipe = replace(trunk.recipe, head="gap")
    assert padding(replace(trunk, model=model, recipe=recipe)).startswith("1 token of an image takes the room of 128 ")
