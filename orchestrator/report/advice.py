"""The runs that a study could add: those of its grid that aren't done, longer ones, and a larger model."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import lcm
from pathlib import Path
from typing import Any

from pandas import DataFrame

from scalectl.analysis.suggestion import Advice, suggest
from scalectl.orchestrator.experiment.document import read_document
from scalectl.orchestrator.experiment.grid import MAX_STEPS, Cell
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.experiment.values import count
from scalectl.orchestrator.plan.plan import Known, PlannedRun
from scalectl.orchestrator.plan.planner import planned_runs
from scalectl.orchestrator.report.fits import kept_runs, refusals, study_points
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer import own
from scalectl.trainer.canonical import science
from scalectl.trainer.flops import training_flops
from scalectl.trainer.identity import Identities
from scalectl.trainer.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class Suggestion:
    """The advice on the runs to add to the study of a file, which are of a wider one."""

    advice: Advice
    file: Path
    experiment: Experiment
    wide: Experiment
    known: Known

    @property
    def study(self) -> str:
        """The name of the study."""
        return self.experiment.name

    @property
    def yaml(self) -> str:
        """The file that runs them."""
        chosen = [run.run for run in self.advice.runs]
        return _headed(self.advice) + addition(self.file, self.experiment, self.wide, chosen, self.known)


def suggested(file: Path, budget: float, target: float | None, stop: float, **said: Any) -> Suggestion:
    """The runs that the study of a file should add for a budget of training FLOPs; `said` is as in `study_points`.

    Raises InvalidExperiment for its file, NotFound without a store, and Refusal where the runs can't carry advice.
    """
    experiment = read(file)
    request, points = study_points(Path(experiment.store), experiment.name, **said)
    wanted, record = next(iter(request.fits.values())), Store(experiment.store).known()
    wide = widened(file, experiment)
    table = DataFrame(rows(wide, record))
    with refusals():
        kept, fitting = kept_runs(points, wanted), {"target": target, "stop": stop, **wanted.manner}
        advice = suggest(kept, table, budget, wanted.metric, "flops", **fitting)
    return Suggestion(advice, file, experiment, wide, record)


def _headed(advice: Advice) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in str(advice).splitlines())


LONGER = 2


def widened(file: Path, experiment: Experiment) -> Experiment:
    """The study with runs beside its grid: twice its longest ones, and its largest model at twice the size."""
    document = read_document(file).value
    largest = max(experiment.cells, key=lambda cell: cell.params)
    name = f"{largest.model.replace('.', '_')}-x2"
    extra = [*_extras(document), *_longer(experiment, document), *_larger(experiment, document, largest, name)]
    overrides = [("grid.extra", json.dumps(extra))]
    if name not in document["models"]:
        overrides.append((f"models.{name}", json.dumps(_doubled(largest.run.trunk.model))))
    return read(file, overrides)


def rows(wide: Experiment, known: Known) -> list[dict[str, Any]]:
    """The candidates as the analysis takes them, with the FLOPs of the trained part of their trunks as `paid`."""
    missing = [run for run in planned_runs(wide, known) if run.missing and run.state != RunState.DONE]
    return [_row(run, known) for run in missing]


def addition(file: Path, experiment: Experiment, wide: Experiment, chosen: Collection[str], known: Known) -> str:
    """A file that extends the study's: the runs that need nothing more, and the chosen ones.

    Runs that are done stay in the study, so that the next fit has them.
    """
    kept = {run.id for run in planned_runs(experiment, known) if not run.missing} | set(chosen)
    document = read_document(file).value
    identities = Identities()
    chosen_cells = [cell for cell in wide.cells if identities.of(cell.run) in kept]
    added = [cell for cell in chosen_cells if cell.extra is not None]
    grid = [cell for cell in chosen_cells if cell.extra is None]
    models = {cell.model: cell.run.trunk.model for cell in chosen_cells if cell.model not in document["models"]}
    lines = [f"extends: {json.dumps(file.name)}  # save this file beside it, and launch it"]
    if models:
        lines += ["models:", *(f"  {json.dumps(name)}: {json.dumps(_shape(model))}" for name, model in models.items())]
    rules = [f"    - {json.dumps(rule)}" for rule in _rules(grid, wide.cells)]
    keep = ['  skip: [{"steps": ">0"}]']
    if rules:
        keep = ["  only:", *rules]
    extras = [f"    - {json.dumps(_entry(document, cell))}" for cell in added]
    extra = ["  extra: []"]
    if extras:
        extra = ["  extra:", *extras]
    return "\n".join([*lines, "grid:", *keep, *extra]) + "\n"


def _row(run: PlannedRun, known: Known) -> dict[str, Any]:
    spec = run.spec
    trained = max((step for step in known.checkpoints.get(run.trunk, {}) if step <= spec.branch), default=0)
    costs = {"shared": training_flops(spec.trunk, spec.branch), "paid": training_flops(spec.trunk, trained)}
    size, seen = spec.trunk.data.size, spec.steps * spec.trunk.recipe.batch_size
    names = {"run": run.id, "name": run.name, "model": run.model, "trunk": run.trunk}
    return {**names, "images_seen": seen, "data_size": size, "flops": run.flops, **costs}


def _longer(experiment: Experiment, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The longest run of each model and data size at twice its steps."""
    cells = sorted(experiment.cells, key=lambda cell: (cell.model, cell.run.trunk.data.size, cell.run.steps))
    for _, group in groupby(cells, key=lambda cell: (cell.model, cell.run.trunk.data.size)):
        longest = list(group)[-1]
        if LONGER * longest.run.steps <= MAX_STEPS:
            yield _extra(document, longest, times=LONGER, seed=0)


def _larger(experiment: Experiment, document: Mapping[str, Any], largest: Cell, name: str) -> Iterator[dict[str, Any]]:
    """The runs of the largest model for a larger one, once for each data size and length."""
    extras = [_extra(document, cell, name=name, seed=0) for cell in experiment.cells if cell.model == largest.model]
    yield from {_key(extra): extra for extra in extras}.values()


def _extra(
    document: Mapping[str, Any], cell: Cell, *, name: str = "", times: int = 1, seed: int | None = None
) -> dict[str, Any]:
    """The entry of grid.extra for a run like a cell; with its cooldown where the schedule gives none."""
    run = cell.run
    if seed is None:
        seed = run.trunk.seed
    extra = {"model": name or cell.model, "data_size": run.trunk.data.size, "steps": times * run.steps}
    if document["budgets"].get("points"):
        extra["cooldown"] = times * run.cooldown
    return {**extra, "seed": seed}


def _extras(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((document.get("grid") or {}).get("extra") or ())


def _entry(document: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """The entry of grid.extra for a cell beside the grid: that of the file where it has one."""
    own = _extras(document)
    if cell.extra is not None and cell.extra < len(own):
        return dict(own[cell.extra])
    return _extra(document, cell)


def _key(extra: Mapping[str, Any]) -> tuple[Any, ...]:
    return extra["model"], count(1)(extra["data_size"]), count(1)(extra["steps"]), count(0)(extra.get("seed", 0))


def _rules(cells: list[Cell], every: Collection[Cell]) -> Iterator[dict[str, Any]]:
    """Rules that keep these cells of the grid and no others, one for each trunk, and for each cooldown of it by which
    alone a cell differs from one that isn't kept.
    """
    have, may_have = Counter(map(_of_steps, cells)), Counter(_of_steps(cell) for cell in every if cell.extra is None)
    trunks: dict[Any, list[int]] = {}
    for cell in cells:
        cooldown = cell.run.cooldown if have[_of_steps(cell)] < may_have[_of_steps(cell)] else None
        trunks.setdefault((*_of_trunk(cell), cooldown), []).append(cell.run.steps)
    for (model, size, seed, swept, cooldown), steps in trunks.items():
        rule = {"model": model, "data_size": size, "seed": seed, "steps": steps, **dict(swept)}
        yield rule if cooldown is None else {**rule, "cooldown": cooldown}


def _of_trunk(cell: Cell) -> tuple[Any, ...]:
    return cell.model, cell.run.trunk.data.size, cell.run.trunk.seed, cell.swept


def _of_steps(cell: Cell) -> tuple[Any, ...]:
    return *_of_trunk(cell), cell.run.steps


def _doubled(model: ModelSpec) -> dict[str, Any]:
    """A shape of about twice the size: the width by the root of two, in whole heads."""
    step = lcm(model.num_heads, 4)  # sines and cosines of x and y need four
    width = max(round(2**0.5 * model.width / step), model.width // step + 1) * step
    return _shape(model) | {"width": width, "mlp_dim": round(width * model.mlp_dim / model.width)}


def _shape(model: ModelSpec) -> dict[str, Any]:
    """The keys of a model in a study's file."""
    shape: dict[str, Any] = science(model)
    if model.is_own:
        shape["architecture"] = own.plain(model.architecture)
    if model.options:
        shape["options"] = json.loads(model.options)
    return shape
