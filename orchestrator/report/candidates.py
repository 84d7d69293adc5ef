"""The runs that a study could add: those of its grid that aren't done, longer ones, and a larger model."""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from math import lcm
from pathlib import Path
from typing import Any

from scalectl.orchestrator.experiment.bases import document
from scalectl.orchestrator.experiment.experiment import Experiment, read
from scalectl.orchestrator.experiment.grid import MAX_STEPS, Cell
from scalectl.orchestrator.experiment.values import count
from scalectl.orchestrator.plan.plan import Known, PlannedRun
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.flops import training_flops
from scalectl.trainer.spec import ModelSpec, identity

LONGER = 2


def widened(file: Path, experiment: Experiment) -> Experiment:
    """Return the study with runs beside its grid: twice its longest ones, and its largest model at twice the size."""
    said = document(file).value
    largest = max(experiment.cells, key=lambda cell: cell.params)
    name = f"{largest.model.replace('.', '_')}-x2"
    extra = [*_extras(said), *_longer(experiment, said), *_larger(experiment, said, largest, name)]
    overrides = [("grid.extra", json.dumps(extra))]
    if name not in said["models"]:
        overrides.append((f"models.{name}", json.dumps(_doubled(largest.run.trunk.model))))
    return read(file, overrides)


def rows(wide: Experiment, known: Known) -> list[dict[str, Any]]:
    """Return the candidates as the analysis takes them, with what of their trunks is trained already as `paid`."""
    return [_row(run, known) for run in plan(wide, known).missing if run.state != "done"]


def addition(file: Path, experiment: Experiment, wide: Experiment, chosen: Collection[str], known: Known) -> str:
    """Return a file that extends the study's: the runs that need nothing more, and the chosen ones.

    What is done stays in the study, so that the next fit has it.
    """
    kept = {run.id for run in plan(experiment, known).runs if not run.missing} | set(chosen)
    said = document(file).value
    beside = {_key(extra): extra for extra in _extras(said)}
    every = {identity(cell.run): cell for cell in wide.cells}
    own = {identity(cell.run) for cell in experiment.cells}
    added = [cell for run, cell in every.items() if run in kept and (run not in own or _key_of(cell) in beside)]
    grid = [cell for run, cell in every.items() if run in kept and run in own and _key_of(cell) not in beside]
    models = {cell.model: cell.run.trunk.model for cell in added if cell.model not in said["models"]}
    lines = [f"extends: {json.dumps(file.name)}  # save this file beside it"]
    if models:
        lines += ["models:", *(f"  {json.dumps(name)}: {json.dumps(_shape(one))}" for name, one in models.items())]
    rules = [json.dumps(rule) for rule in _rules(grid)]
    lines += ["grid:", *(["  only:"] if rules else ['  skip: [{"steps": ">0"}]'])]
    lines += [f"    - {rule}" for rule in rules]
    extras = [beside.get(_key_of(cell)) or _extra(said, cell) for cell in added]
    lines += ["  extra:" if extras else "  extra: []", *(f"    - {json.dumps(extra)}" for extra in extras)]
    return "\n".join(lines) + "\n"


def _row(run: PlannedRun, known: Known) -> dict[str, Any]:
    spec = run.spec
    there = max((step for step in known.checkpoints.get(run.trunk, {}) if step <= spec.branch), default=0)
    costs = {"shared": training_flops(spec.trunk, spec.branch), "paid": training_flops(spec.trunk, there)}
    size, seen = spec.trunk.data.size, spec.steps * spec.trunk.recipe.batch_size
    names = {"run": run.id, "name": run.name, "model": run.model, "trunk": run.trunk}
    return {**names, "images_seen": seen, "data_size": size, "flops": run.flops, **costs}


def _longer(experiment: Experiment, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the longest run of each model and data size at twice its steps."""
    by = sorted(experiment.cells, key=lambda cell: (cell.model, cell.run.trunk.data.size, cell.run.steps))
    for _, cells in groupby(by, key=lambda cell: (cell.model, cell.run.trunk.data.size)):
        longest = list(cells)[-1]
        if LONGER * longest.run.steps <= MAX_STEPS:
            yield _extra(said, longest, times=LONGER, seed=0)


def _larger(experiment: Experiment, said: Mapping[str, Any], largest: Cell, name: str) -> Iterator[dict[str, Any]]:
    """Yield the runs of the largest model for a larger one, once for each data size and length."""
    made = [_extra(said, cell, name=name, seed=0) for cell in experiment.cells if cell.model == largest.model]
    yield from {_key(extra): extra for extra in made}.values()


def _extra(
    said: Mapping[str, Any], cell: Cell, *, name: str = "", times: int = 1, seed: int | None = None
) -> dict[str, Any]:
    """Return the entry of grid.extra for a run like a cell; its cooldown is said where the schedule says none."""
    run = cell.run
    found = {"model": name or cell.model, "data_size": run.trunk.data.size, "steps": times * run.steps}
    if said["budgets"].get("points"):
        found["cooldown"] = times * run.cooldown
    return found | {"seed": run.trunk.seed if seed is None else seed}


def _extras(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((said.get("grid") or {}).get("extra") or ())


def _key(extra: Mapping[str, Any]) -> tuple[Any, ...]:
    return extra["model"], count(1)(extra["data_size"]), count(1)(extra["steps"]), count(0)(extra.get("seed", 0))


def _key_of(cell: Cell) -> tuple[Any, ...]:
    return cell.model, cell.run.trunk.data.size, cell.run.steps, cell.run.trunk.seed


def _rules(cells: list[Cell]) -> Iterator[dict[str, Any]]:
    """Yield rules that keep these cells of the grid and no others, one for each trunk."""
    by: dict[Any, list[int]] = {}
    for cell in cells:
        by.setdefault((cell.model, cell.run.trunk.data.size, cell.run.trunk.seed, cell.swept), []).append(
            cell.run.steps
        )
    for (model, size, seed, swept), steps in by.items():
        yield {"model": model, "data_size": size, "seed": seed, "steps": steps, **dict(swept)}


def _doubled(model: ModelSpec) -> dict[str, int]:
    """Return a shape of about twice the size: the width by the root of two, in whole heads."""
    step = lcm(model.num_heads, 4)  # sines and cosines of x and y need four
    width = max(round(2**0.5 * model.width / step), model.width // step + 1) * step
    return _shape(model) | {"width": width, "mlp_dim": round(width * model.mlp_dim / model.width)}


def _shape(model: ModelSpec) -> dict[str, int]:
    names = ("width", "depth", "mlp_dim", "num_heads", "patch_size")
    return {name: getattr(model, name) for name in names}
