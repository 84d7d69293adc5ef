import math
from pathlib import Path

import pytest

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.trainer.flops import params, training_flops
from scalectl.trainer.presets import preset
from scalectl.trainer.spec import ModelSpec

GRID = """\
version: 1
name: grid
models:
  wide: {width: 48, depth: 2, num_heads: 3, patch_size: 2}
  nano: {width: 16, depth: 3, num_heads: 2, patch_size: 4, mlp_dim: 37}
data: {source: digits, sizes: [350, 100]}
train:
  batch_size: 37
  optimizer: {name: adamw, lr: 1e-3}
  schedule: {warmup: 10, timescale: 100}
budgets: {steps: [303, 100]}
grid: {seeds: [5, 0]}
"""


@pytest.fixture
def resolved(tmp_path: Path):
    """Return a function that reads the study with some values replaced."""
    file = tmp_path / "experiments.yaml"
    file.write_text(GRID)

    def resolve(**overrides: str) -> Experiment:
        return read(file, [(key.replace("__", "."), value) for key, value in overrides.items()])

    return resolve


def settings(experiment: Experiment) -> list[tuple[str, int, int, int]]:
    return [(cell.model, cell.run.trunk.data.size, cell.run.trunk.seed, cell.run.steps) for cell in experiment.cells]


def test_cells_are_the_product_in_one_order(resolved):
    product = [
        (model, size, seed, steps)
        for model in ("wide", "nano")
        for size in (100, 350)
        for seed in (0, 5)
        for steps in (100, 303)
    ]
    assert settings(resolved()) == product


def test_the_order_of_lists_changes_no_run(resolved):
    assert (
        resolved().cells == resolved(data__sizes="[100, 350]", grid__seeds="[0, 5]", budgets__steps="[100, 303]").cells
    )


def test_defaults_are_resolved_into_the_specs(resolved):
    run = resolved().cells[0].run
    assert run.trunk.model == ModelSpec(width=48, depth=2, mlp_dim=192, num_heads=3, patch_size=2)
    assert (run.trunk.data.held_out, run.trunk.data.subset_seed, run.trunk.data.shift) == (360, 0, 0)
    assert (run.trunk.data.image_size, run.trunk.data.channels, run.trunk.data.num_classes) == (8, 1, 10)
    recipe = run.trunk.recipe
    assert (recipe.weight_decay_head, recipe.weight_decay_body, recipe.clip_norm) == (3.0, 0.03, 1.0)
    assert (recipe.precision, recipe.head, recipe.loss, recipe.schedule) == ("float32", "map", "sigmoid", "rsqrt")


@pytest.mark.parametrize(
    ("loss", "typed", "bias"), [("sigmoid", "", -math.log(10)), ("softmax", "", 0.0), ("sigmoid", "-10", -10.0)]
)
def test_the_head_bias_follows_the_loss_unless_given(loss, typed, bias, resolved):
    recipe = resolved(train__loss=loss, train__head_bias=typed).cells[0].run.trunk.recipe
    assert (recipe.head_bias, type(recipe.head_bias)) == (bias, float)


@pytest.mark.parametrize("name", ["Ti", "S", "B", "g", "G"])
def test_presets_are_the_shapes_of_table_2(name, resolved):
    cell = resolved(models=f"{{it: {{preset: {name}, patch_size: 4}}}}").cells[0]
    assert cell.run.trunk.model == preset(name, 4)


def test_params_are_those_of_the_model_with_its_head(resolved):
    for cell in resolved(models__wide__width="51").cells:
        model = cell.run.trunk.model
        assert cell.params == params(model, head="map", image_size=8, channels=1, num_classes=10)


@pytest.mark.parametrize(
    ("typed", "cooldowns"), [("20%", [20, 61]), ("0.1%", [1, 1]), ("37", [37, 37]), ("90%", [90, 273])]
)
def test_cooldowns_are_steps_or_a_share_of_the_run(typed, cooldowns, resolved):
    runs = [cell.run for cell in resolved(train__schedule__cooldown=typed).cells]
    assert [run.cooldown for run in runs[:2]] == cooldowns


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_that_needs_the_horizon_has_no_step_to_share(name, resolved):
    runs = [cell.run for cell in resolved(train__schedule=f"{{name: {name}, warmup: 99}}").cells]
    assert {(run.branch, run.steps) for run in runs} == {(0, 100), (0, 303)}
    assert {run.trunk.recipe.timescale for run in runs} == {0}


@pytest.mark.parametrize(("typed", "microbatch"), [("", 0), ("48", 0), ("16", 16)])
def test_a_microbatch_of_the_whole_batch_is_none(typed, microbatch, resolved):
    cell = resolved(train__batch_size="48", train__microbatch=typed).cells[0]
    assert cell.run.trunk.recipe.microbatch == microbatch


def test_sincos2d_leaves_the_parameters_of_learned_positions_out(resolved):
    learned, fixed = (resolved(train__positions=kind).cells[0].params for kind in ("learned", "sincos2d"))
    assert learned - fixed == 16 * 48  # tokens x width


def test_sincos2d_needs_a_width_of_quarters(resolved):
    with pytest.raises(InvalidExperiment, match=r"models.wide.width: 4 does not divide 54"):
        resolved(train__positions="sincos2d", models__wide__width="54")


def test_warmup_alone_is_no_run(resolved):
    with pytest.raises(InvalidExperiment, match="100 steps are too few: warmup alone is 100"):
        resolved(train__schedule="{name: cosine, warmup: 100}")


def test_points_bring_their_own_cooldowns(resolved):
    experiment = resolved(budgets="{points: [{steps: 400, cooldown: 100}, {steps: 400, cooldown: 10%}]}")
    assert [(cell.run.steps, cell.run.cooldown) for cell in experiment.cells[:2]] == [(400, 40), (400, 100)]


def test_flops_buy_the_steps_that_they_pay_for(resolved):
    for cell in resolved(budgets="{flops: [3e11, 1e12]}").cells:
        steps = cell.run.steps
        budget = 3e11 if training_flops(cell.run.trunk, steps) <= 3e11 else 1e12
        assert training_flops(cell.run.trunk, steps) <= budget < training_flops(cell.run.trunk, steps + 1)


def test_images_are_steps_of_a_batch(resolved):
    assert {cell.run.steps for cell in resolved(budgets="{images: [3700, 1.11k]}").cells} == {100, 30}


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("[{model: nano}]", lambda model, size, seed, steps: model != "nano"),
        ('[{data_size: ">=350"}]', lambda model, size, seed, steps: size < 350),
        ('[{data_size: "<350", seed: 5}]', lambda model, size, seed, steps: not (size < 350 and seed == 5)),
        ("[{seed: 5}, {steps: [303, 304]}]", lambda model, size, seed, steps: seed != 5 and steps != 303),
        ('[{steps: "=100", model: [nano, wide]}]', lambda model, size, seed, steps: steps != 100),
        ('[{steps: "<= 100"}]', lambda model, size, seed, steps: steps > 100),
        ('[{params: "<30k"}]', lambda model, size, seed, steps: model == "wide"),
    ],
)
def test_rules_skip_the_cells_that_meet_all_their_conditions(rules, kept, resolved):
    experiment = resolved(grid__skip=rules)
    assert settings(experiment) == [row for row in settings(resolved()) if kept(*row)]
    assert experiment.skipped == 16 - len(experiment.cells)
    assert experiment.warnings == ()


def test_a_rule_that_skips_nothing_is_a_warning(resolved):
    (warning,) = resolved(grid__skip='[{seed: 5}, {data_size: ">10k"}]').warnings
    assert "warning: grid.skip[1]: skips nothing: no run of the grid has data_size > 10000" in str(warning)


def test_a_skipped_cell_may_be_too_short(resolved):
    assert len(resolved(budgets__steps="[7, 100]", grid__skip='[{steps: "<10"}]').cells) == 8


def test_budgets_of_the_same_steps_are_one_run_and_a_warning(resolved):
    experiment = resolved(budgets="{images: [3700, 3701]}")
    assert len(experiment.cells) == 8
    assert "budgets.images[1]: the same 100 steps of wide as budgets.images[0]" in str(experiment.warnings[0])


def test_a_hold_out_that_matches_nothing_is_a_warning(resolved):
    (warning,) = resolved(fits="{main: {metric: upstream/loss, hold_out: {seed: 37}}}").warnings
    assert "fits.main.hold_out: no run has seed == 37" in str(warning)


def test_hold_outs_are_read_as_conditions(resolved):
    rule = (
        resolved(fits='{main: {metric: upstream/loss, hold_out: {model: wide, steps: ">=303"}}}').fits["main"].hold_out
    )
    assert str(rule) == "model == 'wide' and steps >= 303"
    assert sum(rule.holds(cell.settings()) for cell in resolved().cells) == 4


def test_synthetic_images_have_the_side_and_the_classes_that_are_asked_for(resolved):
    asked = resolved(data="{source: synthetic, sizes: [1M], image_size: 24, num_classes: 37}").cells[0].run.trunk.data
    usual = resolved(data="{source: synthetic, sizes: [1M]}").cells[0].run.trunk.data
    assert (asked.image_size, asked.channels, asked.num_classes, asked.held_out) == (24, 3, 37, 1000)
    assert (usual.image_size, usual.channels, usual.num_classes, usual.held_out) == (32, 3, 10, 1000)


@pytest.mark.parametrize("side", ["data__sizes", "grid__seeds"])
def test_a_huge_grid_is_refused_before_it_is_built(side, resolved):
    many = {"grid__seeds": str(list(range(1000))), "budgets__steps": str(list(range(100, 1100)))}
    many[side] = str(list(range(1, 1001)))
    with pytest.raises(InvalidExperiment, match=r"runs, more than 100,000"):
        resolved(**many)


def test_a_budget_too_small_names_the_model_that_it_is_smallest_for(resolved):
    with pytest.raises(InvalidExperiment, match=r"budgets.flops\[0\]: 1e7 FLOPs buy \d steps of wide at batch 37"):
        resolved(budgets="{flops: [1e7, 1e12]}", models__nano__width="8")


def test_a_sweep_makes_a_run_of_each_combination_and_shares_no_trunk_between_them(resolved):
    experiment = resolved(grid__sweep="{lr: [3e-3, 1e-3], weight_decay_head: [0, 3.0]}")
    assert len(experiment.cells) == 4 * 16
    pairs = {(cell.run.trunk.recipe.lr, cell.run.trunk.recipe.weight_decay_head) for cell in experiment.cells}
    assert pairs == {(1e-3, 0.0), (1e-3, 3.0), (3e-3, 0.0), (3e-3, 3.0)}
    assert len({cell.run.trunk for cell in experiment.cells}) == 4 * 8
    names = {cell.name for cell in experiment.cells}
    assert len(names) == len(experiment.cells)
    assert names >= {"wide-100-100", "wide-100-100-hd0", "wide-100-100-lr0.003", "wide-100-100-s5-lr0.003-hd0"}


def test_names_hold_every_setting_that_differs_from_train(resolved):
    sweep = "{batch_size: [37, 64], head: [map, gap], clip_norm: [0.5], weight_decay_body: [0.03, 1e-5], warmup: [7]}"
    names = [cell.name for cell in resolved(grid__sweep=sweep, data__sizes="[100]").cells]
    assert len(set(names)) == len(names)
    assert {"nano-100-100-clip0.5-w7", "nano-100-100-s5-b64-gap-clip0.5-bd1e-05-w7"} <= set(names)


def test_runs_that_differ_in_their_cooldown_alone_are_named_by_it(resolved):
    points = "{points: [{steps: 200, cooldown: 30}, {steps: 200, cooldown: 60}, {steps: 300, cooldown: 50%}]}"
    names = {cell.name for cell in resolved(budgets=points, data__sizes="[100]", grid__seeds="[0]").cells}
    assert names >= {"nano-100-200-c30", "nano-100-200-c60", "nano-100-300"}


def test_a_sweep_of_the_value_that_train_says_is_the_same_run(resolved):
    swept, usual = resolved(grid__sweep="{lr: [1e-3]}"), resolved()
    assert [cell.run for cell in swept.cells] == [cell.run for cell in usual.cells]


def test_swept_settings_choose_runs(resolved):
    sweep = {"grid__sweep": "{lr: [1e-3, 3e-3], head: [map, gap], batch_size: [37, 74]}"}
    kept = resolved(**sweep, grid__only='[{lr: ">=0.003", head: gap}, {batch_size: 74, lr: 1e-3}]')
    recipes = {(c.run.trunk.recipe.lr, c.run.trunk.recipe.head, c.run.trunk.recipe.batch_size) for c in kept.cells}
    assert recipes == {(3e-3, "gap", 37), (3e-3, "gap", 74), (1e-3, "map", 74), (1e-3, "gap", 74)}
    fits = '{main: {metric: upstream/loss, hold_out: {lr: ">0.001"}}}'
    assert resolved(**sweep, fits=fits).warnings == ()


def test_the_heads_of_a_sweep_have_their_own_parameters(resolved):
    counts = {(c.model, c.run.trunk.recipe.head): c.params for c in resolved(grid__sweep="{head: [map, gap]}").cells}
    assert counts["nano", "map"] > counts["nano", "gap"]


def test_flops_of_a_swept_batch_buy_their_own_steps(resolved):
    experiment = resolved(grid__sweep="{batch_size: [37, 74]}", budgets="{images: [7400]}")
    assert {(c.run.trunk.recipe.batch_size, c.run.steps) for c in experiment.cells} == {(37, 200), (74, 100)}


def test_only_keeps_and_skip_leaves_out_of_that(resolved):
    experiment = resolved(grid__only="[{model: nano}]", grid__skip="[{seed: 5}]")
    assert {(row[0], row[2]) for row in settings(experiment)} == {("nano", 0)} and experiment.skipped == 12
    assert "keeps nothing" in str(resolved(grid__only="[{model: nano}, {seed: 37}]").warnings[0])


def test_a_run_beside_the_grid_escapes_its_rules_and_is_not_run_twice(resolved):
    extra = "[{model: nano, data_size: 37, steps: 370, seed: 2}, {model: wide, data_size: 100, steps: 100}]"
    experiment = resolved(grid__extra=extra, grid__skip="[{model: nano}]")
    assert settings(experiment)[-1] == ("nano", 37, 2, 370) and len(experiment.cells) == 9
    assert experiment.cells[-1].run.cooldown == 74
    assert "grid.extra[1]: a run that is there already" in str(experiment.warnings[0])


def test_device_hours_are_flops_at_the_speed_that_is_written_down(resolved):
    hours = resolved(budgets="{device_hours: [0.037], flops_per_second: 1e10}")
    flops = resolved(budgets="{flops: [1.332e12]}")
    assert [cell.run for cell in hours.cells] == [cell.run for cell in flops.cells]


def test_resources_change_no_budget_in_device_hours(resolved):
    budget = {"budgets": "{device_hours: [0.037], flops_per_second: 1e10}"}
    elsewhere = resolved(**budget, resources="{default: {peak_flops: 1e15, mfu: 0.37}}")
    assert resolved(**budget).cells == elsewhere.cells


def test_patches_that_leave_pixels_out_are_a_warning(resolved):
    (warning,) = resolved(models__nano__patch_size="3").warnings
    assert (warning.key, warning.spot.source) == ("models.nano.patch_size", "--set models.nano.patch_size")
    assert "patches of 3 pixels leave the last 2 of 8 unseen" in warning.message
