"""What no single key shows: keys that contradict each other, or what is known about the data."""

from collections.abc import Iterator

from scalectl.orchestrator.errors import Finding, KeyPath, did_you_mean
from scalectl.orchestrator.experiment.checks_cache import cached_images_fit
from scalectl.orchestrator.experiment.checks_data import (
    EVALS,
    classes_have_images,
    several_labels_fit,
    source_takes_keys,
)
from scalectl.orchestrator.experiment.checks_files import datasets_are_apart
from scalectl.orchestrator.experiment.checks_own import own_recipe_works
from scalectl.orchestrator.experiment.checks_places import PLACES
from scalectl.orchestrator.experiment.checks_size import SIZES
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.resources import Resources
from scalectl.orchestrator.experiment.schema import Budgets, Grid, Model, Train
from scalectl.orchestrator.experiment.specs import contents, held_out, known, left, shape, test_path
from scalectl.trainer import own
from scalectl.trainer.data import registry
from scalectl.trainer.flops import params
from scalectl.trainer.spec import ModelSpec, facts_of


def models_are_shapes(models: dict[str, Model]) -> Iterator[Finding]:
    """Yield the models that have no shape, two shapes, or one that cannot be built."""
    if not models:
        yield Finding(("models",), "no models", "give at least one: NAME: {preset: Ti, patch_size: 16}")
    for name, model in models.items():
        needed = ("width", "depth") if model.architecture else ("width", "depth", "num_heads")
        if model.options and not model.architecture:
            yield Finding(("models", name, "options"), "never used: a ViT takes none", "give an architecture", True)
        for key, value in (_shape_keys(model) | {"mlp_dim": model.mlp_dim}).items():
            if model.preset and value is not None:
                yield Finding(
                    ("models", name, key), f"preset {model.preset} has its own {key}", "remove one of them", True
                )
            elif not model.preset and value is None and key in needed:
                hint = "a shape has width, depth and num_heads; or give a preset"
                yield Finding(("models", name, key), "missing", hint, True)
        if model.width and model.num_heads and model.width % model.num_heads:
            message = f"{model.num_heads} heads do not divide width {model.width}"
            yield Finding(("models", name, "num_heads"), message)


def _shape_keys(model: Model) -> dict[str, int | None]:
    return {"width": model.width, "depth": model.depth, "num_heads": model.num_heads}


def is_whole(model: Model) -> bool:
    """Whether nothing is missing of a model's shape."""
    return bool(model.preset) or None not in (model.width, model.depth, model.architecture or model.num_heads)


def models_differ(models: dict[str, Model]) -> Iterator[Finding]:
    """Yield the models that repeat the shape of one above them."""
    first: dict[ModelSpec, str] = {}
    whole = {name: model for name, model in models.items() if is_whole(model)}
    for name, model in whole.items():
        if first.setdefault(shape(model), name) != name:
            yield Finding(("models", name), f"the same shape as {first[shape(model)]}", "remove one of them", True)


def patches_fit(models: dict[str, Model], data: Data) -> Iterator[Finding]:
    """Yield the models whose patch is larger than an image; as warnings those with patches that leave pixels out."""
    side = known(data).image_size
    for name, model in models.items():
        if model.patch_size > side:
            message = f"a patch of {model.patch_size} pixels is larger than the {side} x {side} images of {data.source}"
            yield Finding(("models", name, "patch_size"), message)
        elif rest := side % model.patch_size:
            message = f"patches of {model.patch_size} pixels leave the last {rest} of {side} unseen, across and down"
            hint = f"give a divisor of {side}, or another data.image_size"
            yield Finding(("models", name, "patch_size"), message, hint, severity="warning")


def own_models_build(models: dict[str, Model], data: Data, train: Train) -> Iterator[Finding]:
    """Yield the models of one's own that can't be built, or that give something else than logits and features."""
    facts = known(data)
    counts = {"image_size": facts.image_size, "channels": facts.channels, "num_classes": facts.num_classes}
    for name, model in models.items():
        if not model.architecture or not is_whole(model):
            continue
        try:
            params(shape(model), head=train.head, positions=train.positions, pre_logits=train.pre_logits, **counts)
        except ValueError as error:
            yield Finding(("models", name, "architecture"), str(error), "", True)


def positions_fit(models: dict[str, Model], train: Train) -> Iterator[Finding]:
    """Yield the widths that fixed position embeddings don't divide into sine and cosine of x and of y."""
    if train.positions != "sincos2d":
        return
    for name, model in models.items():
        if model.width and model.width % 4:
            message = f"4 does not divide {model.width}, and train.positions: sincos2d needs quarters"
            yield Finding(("models", name, "width"), message)


def subsets_fit(data: Data) -> Iterator[Finding]:
    """Yield the subsets that are larger than what the source holds besides the held-out images."""
    total, kept, most = known(data).num_images, held_out(data), left(data)
    if most < 1:
        yield Finding(("data", "held_out"), f"{kept:,} leaves nothing to train on: {data.source} has {total:,}")
        return
    for i, size in enumerate(data.sizes):
        if size > most:
            message = f"{size:,} is more than {most:,}: {_source(data)} has {total:,} images"
            hint = "drop that size"
            if not test_path(data):
                message += f", {kept:,} are held out"
                hint += ", or lower data.held_out"
            yield Finding(("data", "sizes", i), message, hint)


def _source(data: Data) -> str:
    """The source as a message names it, with the split that is read of it."""
    split = contents(data).split if data.source.path else ""
    return f"split {split} of {data.source}" if split else str(data.source)


def crop_has_pictures(data: Data) -> Iterator[Finding]:
    """Yield the crop of images too small for it."""
    if data.augment.crop and isinstance(registry.source(data.source.kind), registry.InMemory):
        message = f"{data.source} are in memory at one size, and only larger pictures can be cropped"
        yield Finding(("data", "augment", "crop"), message, "use shift", True)


def shift_fits(data: Data) -> Iterator[Finding]:
    """Yield the shift that can push a whole image out of view."""
    side = known(data).image_size
    if data.augment.shift >= side:
        message = f"{data.augment.shift} pixels can push the whole image of {side} pixels out of view"
        yield Finding(("data", "augment", "shift"), message)


def one_kind_of_budget(budgets: Budgets) -> Iterator[Finding]:
    """Yield the budgets that are not given in exactly one unit."""
    kinds = budgets.kinds()
    if not kinds:
        yield Finding(("budgets",), "empty", "give exactly one of steps, images, flops, device_hours and points", True)
    for kind in kinds[1:]:
        yield Finding(("budgets", kind), f"a second kind of budget beside {kinds[0]}", "keep exactly one", True)


def device_hours_have_a_speed(budgets: Budgets) -> Iterator[Finding]:
    """Yield the budgets in device-hours without the speed that turns them into steps, or a speed without them."""
    if budgets.device_hours and budgets.flops_per_second is None:
        hint = "a measured speed would change from launch to launch, and with it the steps: write one down"
        yield Finding(("budgets", "flops_per_second"), "missing: device_hours become steps by it", hint, True)
    if budgets.flops_per_second and not budgets.device_hours:
        yield Finding(("budgets", "flops_per_second"), "never used: only device_hours need it", "remove it", True)


def one_cooldown(budgets: Budgets, train: Train) -> Iterator[Finding]:
    """Yield the cooldown of the schedule where each point has its own."""
    if budgets.points and "cooldown" in train.schedule.model_fields_set:
        message = "never used: every point of budgets.points has its own cooldown"
        yield Finding(("train", "schedule", "cooldown"), message, "remove it", True)


def schedule_is_whole(train: Train) -> Iterator[Finding]:
    """Yield the timescale that is missing, and the keys that the schedule has no use for."""
    schedule, path = train.schedule, ("train", "schedule")
    facts, name = facts_of(schedule.name), own.plain(schedule.name)
    if facts.has_timescale and schedule.timescale is None:
        yield Finding((*path, "timescale"), "missing", f"{name} decays over it", True)
    if not facts.has_timescale and schedule.timescale is not None:
        yield Finding((*path, "timescale"), f"never used: {name} has none", "remove it", True)
    if facts.needs_horizon and "cooldown" in schedule.model_fields_set:
        yield Finding((*path, "cooldown"), f"never used: {name} falls to zero by itself", "remove it", True)


def microbatches_are_whole(train: Train, grid: Grid) -> Iterator[Finding]:
    """Yield the microbatch that does not divide the batch."""
    for size in grid.sweep.batch_size or (train.batch_size,):
        if train.microbatch and size % train.microbatch:
            yield Finding(("train", "microbatch"), f"{train.microbatch:,} does not divide a batch of {size:,}")


def points_have_cooldowns(budgets: Budgets, train: Train) -> Iterator[Finding]:
    """Yield the points with cooldowns of their own under a schedule that has none."""
    if budgets.points and facts_of(train.schedule.name).needs_horizon:
        message = f"{own.plain(train.schedule.name)} falls to zero by itself: no point has a cooldown of its own"
        yield Finding(("budgets", "points"), message, "give budgets.steps", True)


def sweeps_are_used(train: Train, grid: Grid) -> Iterator[Finding]:
    """Yield the sweep over the timescale of a schedule that has none."""
    if grid.sweep.timescale and train.schedule.timescale is None:
        message = f"never used: {own.plain(train.schedule.name)} has no timescale"
        yield Finding(("grid", "sweep", "timescale"), message, "remove it", True)


def rules_choose(models: dict[str, Model], grid: Grid) -> Iterator[Finding]:
    """Yield the rules of the grid that name an unknown model, or no condition at all."""
    for kind, verb in (("skip", "skips"), ("only", "keeps")):
        for i, rule in enumerate(getattr(grid, kind)):
            if not rule.conditions():
                yield Finding(("grid", kind, i), f"no condition: this {verb} everything", "remove it")
            yield from _unknown_models(rule.names(), models, ("grid", kind, i, "model"))


def extras_are_runs(
    models: dict[str, Model], data: Data, budgets: Budgets, train: Train, grid: Grid
) -> Iterator[Finding]:
    """Yield the runs beside the grid that have no model, too many images, or no cooldown or one too many."""
    needs_horizon = facts_of(train.schedule.name).needs_horizon
    for i, extra in enumerate(grid.extra):
        path = ("grid", "extra", i)
        yield from _unknown_models((extra.model,), models, (*path, "model"))
        if extra.data_size > left(data) > 0:
            yield Finding((*path, "data_size"), f"{extra.data_size:,} is more than {left(data):,} images to train on")
        if extra.cooldown and needs_horizon:
            message = f"never used: {own.plain(train.schedule.name)} falls to zero by itself"
            yield Finding((*path, "cooldown"), message, "remove it", True)
        if budgets.points and not extra.cooldown and not needs_horizon:
            yield Finding((*path, "cooldown"), "missing: budgets.points gives each run its own", "", True)


def places_are_of_trunks(models: dict[str, Model], resources: Resources) -> Iterator[Finding]:
    """Yield the rules of places that hold for some runs of a trunk only, for everything, or for an unknown model."""
    for i, where in enumerate(resources.rules):
        path = ("resources", "rules", i, "when")
        for name in ("steps", "cooldown"):
            if name not in where.when.conditions():
                continue
            yield Finding((*path, name), f"runs of other {name} share its trunk", "choose by another setting", True)
        if not where.when.conditions():
            yield Finding(path, "no condition: this holds for everything", "use resources.default")
        yield from _unknown_models(where.when.names(), models, (*path, "model"))


def held_out_models_exist(models: dict[str, Model], fits: dict[str, Fit]) -> Iterator[Finding]:
    """Yield the fits that hold out an unknown model."""
    for name, fit in fits.items():
        yield from _unknown_models(fit.hold_out.names(), models, ("fits", name, "hold_out", "model"))


def hold_outs_leave_some(fits: dict[str, Fit], cells: tuple[Cell, ...]) -> Iterator[Finding]:
    """Yield the fits that hold out every run, which is an error, or none of them, which is a warning."""
    for name, fit in fits.items():
        if not fit.hold_out.conditions() or not cells:
            continue
        held = sum(fit.hold_out.holds(cell.settings()) for cell in cells)
        if held == len(cells):
            yield Finding(("fits", name, "hold_out"), f"{fit.hold_out} holds out every run", "leave some to fit")
        if not held:
            yield Finding(("fits", name, "hold_out"), f"no run has {fit.hold_out}", severity="warning")


def _unknown_models(names: tuple[str, ...], models: dict[str, Model], path: KeyPath) -> Iterator[Finding]:
    for name in names:
        if name not in models:
            yield Finding(path, f"no model {name!r}", did_you_mean(name, models) or f"models has {', '.join(models)}")


CHECKS = (
    models_are_shapes,
    models_differ,
    patches_fit,
    own_models_build,
    own_recipe_works,
    positions_fit,
    subsets_fit,
    source_takes_keys,
    classes_have_images,
    several_labels_fit,
    crop_has_pictures,
    shift_fits,
    cached_images_fit,
    one_kind_of_budget,
    one_cooldown,
    schedule_is_whole,
    points_have_cooldowns,
    microbatches_are_whole,
    *EVALS,
    datasets_are_apart,
    *SIZES,
    device_hours_have_a_speed,
    sweeps_are_used,
    rules_choose,
    extras_are_runs,
    places_are_of_trunks,
    *PLACES,
    held_out_models_exist,
)
