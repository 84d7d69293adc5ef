"""A key of the recipe is added where it is declared and where it is used; all other places take it from there.

Declared: a field of `RecipeSpec`, and a key of `Train` with its meaning; where it may be swept, a key of `Sweep` and
one of `Rule` besides. The tests add one that nothing knows.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Float, Integer

from scalectl.orchestrator.experiment import specs
from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.experiment.rules import Reals, Rule, key
from scalectl.orchestrator.experiment.schema import Optimizer, Sweep, Train
from scalectl.orchestrator.experiment.values import Fraction, NonNegative, Several
from scalectl.orchestrator.plan.planner import shape
from scalectl.orchestrator.store.columns import later_defaults, spec_columns
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import LATER, RecipeSpec, RunSpec, spec_fields

TRUNK = read(Path(__file__).parents[1] / "experiments.yaml").cells[0].run.trunk


@dataclass(frozen=True)
class ToyRecipe(RecipeSpec):
    dropout: float = field(default=0.0, metadata=LATER, kw_only=True)
    accumulate: int = field(default=1, metadata=LATER, kw_only=True)


class ToyOptimizer(Optimizer):
    accumulate: int = key("Batches whose gradients are one step.", 1)


class ToyTrain(Train):
    optimizer: ToyOptimizer = key("How gradients become updates.")
    dropout: NonNegative = key("Share of activations that are dropped.", 0.0)


class ToySweep(Sweep):
    dropout: Several[Fraction] | None = key("Shares of activations that are dropped.", None)


class ToyRule(Rule):
    dropout: Reals | None = key("Share of activations that are dropped.", None)


TRAIN = {
    "batch_size": 16,
    "dropout": 0.1,
    "optimizer": {"name": "adamw", "lr": 1e-3, "accumulate": 4},
    "schedule": {"name": "cosine", "warmup": 4},
}


@pytest.fixture
def toy(monkeypatch) -> ToyRecipe:
    """The recipe of a file that gives both toys."""
    monkeypatch.setattr(specs, "RecipeSpec", ToyRecipe)
    recipe = specs.recipe(ToyTrain.model_validate(TRAIN), num_classes=10)
    assert isinstance(recipe, ToyRecipe)
    return recipe


def test_the_recipe_takes_it_from_the_file(toy):
    assert (toy.dropout, toy.accumulate) == (0.1, 4)


def test_the_store_has_a_column_for_it_and_a_value_in_the_rows_of_older_stores():
    new = {name: kind for name, kind in spec_columns(ToyRecipe).items() if name not in spec_columns(RecipeSpec)}
    assert new == {"dropout": Float, "accumulate": Integer}
    assert later_defaults(ToyRecipe) == later_defaults(RecipeSpec) | {"dropout": "0.0", "accumulate": "1"}


def test_runs_that_lack_it_keep_their_identity_and_their_shape():
    unset = replace(TRUNK, recipe=ToyRecipe(**asdict(TRUNK.recipe)))
    assert identity(unset) == identity(TRUNK) and shape(unset) == shape(TRUNK)
    for changed in ({"dropout": 0.1}, {"accumulate": 4}):
        other = replace(unset, recipe=replace(unset.recipe, **changed))
        assert identity(other) != identity(TRUNK) and shape(other) != shape(TRUNK)


def test_it_is_swept_and_runs_are_chosen_by_it(toy):
    sweep = ToySweep.model_validate({"lr": (1e-3, 3e-3), "dropout": (0.2, 0.1)})
    recipes = [specs.recipe(ToyTrain.model_validate(TRAIN), 10, swept) for swept in sweep.variants()]
    assert [(recipe.lr, recipe.dropout) for recipe in recipes] == [(1e-3, 0.1), (1e-3, 0.2), (3e-3, 0.1), (3e-3, 0.2)]
    runs = [RunSpec(replace(TRUNK, recipe=recipe), 100, 100) for recipe in recipes]
    cells = [Cell("nano", run, 37) for run in runs]
    rule = ToyRule.model_validate({"dropout": ">0.1", "model": "nano"})
    assert [rule.holds(cell.settings()) for cell in cells] == [False, True, False, True]
    assert str(rule) == "model == 'nano' and dropout > 0.1"


def test_the_settings_that_a_study_may_sweep_are_keys_of_sweeps_and_of_rules():
    swept = [setting.name for setting in spec_fields(RecipeSpec) if setting.swept]
    assert list(Sweep.model_fields) == swept
    others = {setting.name for setting in spec_fields(RecipeSpec) if not setting.swept}
    assert {*swept} <= Rule.model_fields.keys() and not others & Rule.model_fields.keys()
