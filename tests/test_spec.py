"""Identities: what changes them, and what must not."""

from dataclasses import replace

import pytest
import test_train

from scalectl.trainer.identity import identity
from scalectl.trainer.spec import (
    DataSpec,
    ModelSpec,
    RecipeSpec,
    RunSpec,
    SpecField,
    TrunkSpec,
    spec_fields,
)

TRUNK = TrunkSpec(
    ModelSpec(16, 3, 64, 2, 2),
    DataSpec("digits", 60, 360, 0, 1, 8, 1, 10),
    RecipeSpec(16, "float32", "map", -2.0, "sigmoid", "adafactor", 3e-3, 1.0, 3.0, 0.03, 4, 10),
    seed=3,
)


def test_a_run_of_an_earlier_version_keeps_its_id():
    """The id is that of the code before position embeddings could be chosen."""
    assert identity(RunSpec(TRUNK, 100, 20)) == "983802c3679d"


@pytest.mark.parametrize(
    "change",
    [
        {"positions": "sincos2d"},
        {"schedule": "cosine"},
        {"lr": 3.1e-3},
        {"layers": "scan"},
        {"remat": "full"},
        {"microbatch": 8},
    ],
)
def test_another_recipe_is_another_trunk(change):
    assert identity(replace(TRUNK, recipe=replace(TRUNK.recipe, **change))) != identity(TRUNK)


# ids that are in stores already: if these change, every run is trained again
def test_a_run_keeps_the_identity_that_it_always_had():
    assert (identity(test_train.TRUNK), identity(test_train.RUN)) == ("94559dac2ff9", "f124da2dfe46")


def test_a_setting_that_came_later_counts_once_it_is_set():
    assert identity(replace(TRUNK, data=replace(TRUNK.data, stratified=True))) != identity(TRUNK)


def test_the_fields_of_specs_say_what_columns_sweeps_and_older_stores_need():
    recipe = {setting.name: setting for setting in spec_fields(RecipeSpec)}
    swept = ["batch_size", "head", "pre_logits", "lr", "clip_norm"]
    swept += ["weight_decay_head", "weight_decay_body", "warmup", "timescale"]
    assert [name for name, setting in recipe.items() if setting.swept] == swept
    assert recipe["head"] == SpecField("head", str, ("map", "gap", "tok"), True, None)
    assert recipe["microbatch"] == SpecField("microbatch", int, (), False, 0)
    data = {setting.name: setting for setting in spec_fields(DataSpec)}
    assert data["stratified"] == SpecField("stratified", bool, (), False, False)
    assert data["content"].before == "" and not {"path", "test_path"} & data.keys()
