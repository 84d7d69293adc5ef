"""Models x data sizes x budgets x seeds to the runs of a study."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from scalectl.orchestrator.errors import Finding, KeyPath, dotted
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.schema import Budgets, Extra, Grid, Model, Train
from scalectl.orchestrator.experiment.specs import recipe, shape, subset
from scalectl.orchestrator.experiment.values import Share
from scalectl.orchestrator.format import counted
from scalectl.trainer.flops import params, steps_for_flops, steps_for_images
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, RunSpec, TrunkSpec

MAX_CELLS = 100_000
MAX_STEPS = 10**9  # the longest run of the paper has 6.3 million
_TAGS = {  # what goes before the value of a setting in the name of a run
    "batch_size": "b",
    "head": "",
    "pre_logits": "",
    "clip_norm": "clip",
    "weight_decay_head": "hd",
    "weight_decay_body": "bd",
    "warmup": "w",
    "timescale": "t",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the grid under the name that its model has in experiments.yaml."""

    model: str
    run: RunSpec
    params: int
    swept: tuple[tuple[str, Any], ...] = ()  # settings of its recipe that the grid gives several values
    differing: tuple[tuple[str, Any], ...] = ()  # those of them that have another value than in `train`
    cooldown_differs: bool = False  # another run of its trunk has as many steps
    extra: int | None = None  # its place in grid.extra, where no rule of the grid chooses it
    budget: tuple[str, float] = ("steps", 0.0)  # that its steps come from, in the unit of the file

    def settings(self) -> dict[str, Any]:
        """The settings that rules choose runs by."""
        trunk = self.run.trunk
        lengths = {"steps": self.run.steps, "cooldown": self.run.cooldown}
        counts = {"data_size": trunk.data.size, **lengths, "seed": trunk.seed, "params": self.params}
        return {"model": self.model, **counts, **vars(trunk.recipe)}

    @property
    def trunk_name(self) -> str:
        """The name of its trunk for people, such as nano-350 or nano-350-s1-lr0.003."""
        return "-".join([self.model, str(self.run.trunk.data.size), *self._tags()])

    @property
    def name(self) -> str:
        """Its name for people, such as nano-350-200 or nano-350-200-s1-lr0.003."""
        words = [self.model, str(self.run.trunk.data.size), str(self.run.steps), *self._tags()]
        if self.cooldown_differs:
            words.append(f"c{self.run.cooldown}")
        return "-".join(words)

    def _tags(self) -> Iterator[str]:
        """Yield a seed other than 0, and the swept settings that aren't those of `train`."""
        if self.run.trunk.seed:
            yield f"s{self.run.trunk.seed}"
        for setting, value in self.differing:
            yield f"{_TAGS.get(setting, setting)}{str(value).removesuffix('.0')}"


@dataclass(frozen=True)
class Resolved:
    """The cells of a grid, how many were skipped, and findings.

    Cells are in order of model as listed, data size, swept settings, seed and steps; those beside the grid come last.
    """

    cells: tuple[Cell, ...]
    skipped: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Length:
    """One budget as typed, at `path`, with its cooldown."""

    path: KeyPath
    kind: str
    amount: float
    cooldown: Share
    flops_per_second: float = 0.0

    @property
    def budget(self) -> tuple[str, float]:
        return "steps" if self.kind == "points" else self.kind, self.amount

    def __str__(self) -> str:
        if self.kind == "flops":
            return f"{_short(self.amount)} FLOPs buy"
        if self.kind == "device_hours":
            return f"{self.amount:g} device-hours buy"
        if self.kind == "images":
            return f"{counted(self.amount, 'image')} {'buys' if self.amount == 1 else 'buy'}"
        return f"{counted(self.amount, 'step')} {'is' if self.amount == 1 else 'are'}"

    def steps(self, trunk: TrunkSpec) -> int:
        if self.kind == "flops":
            return steps_for_flops(trunk, self.amount)
        if self.kind == "device_hours":
            return steps_for_flops(trunk, min(3600 * self.amount * self.flops_per_second, sys.float_info.max))
        if self.kind == "images":
            return steps_for_images(trunk, self.amount)
        return int(self.amount)


def resolve(models: dict[str, Model], data: Data, train: Train, budgets: Budgets, grid: Grid) -> Resolved:
    """The cells of a checked grid, or the findings that say why there are none."""
    lengths = _lengths(budgets, train.schedule.cooldown)
    variants = sum(1 for _ in grid.sweep.variants())
    size = len(models) * len(data.sizes) * len(lengths) * len(grid.seeds) * variants
    if size > MAX_CELLS:
        sides = " x ".join(
            counted(len(values), noun)
            for noun, values in (("model", models), ("size", data.sizes), ("budget", lengths), ("seed", grid.seeds))
        )
        if variants > 1:
            sides += f" x {variants} swept"
        message = f"{sides} are {size:,} runs, more than {MAX_CELLS:,}"
        return Resolved((), 0, (Finding(("grid",), message, "shorten a list, or make several studies"),))
    return _Resolution(models, data, train, grid, lengths).resolved()


def _lengths(budgets: Budgets, cooldown: Share) -> list[_Length]:
    lengths = [
        _Length(("budgets", kind, i), kind, amount, cooldown)
        for kind in ("steps", "images", "flops")
        for i, amount in enumerate(getattr(budgets, kind) or ())
    ]
    for i, hours in enumerate(budgets.device_hours or ()):
        path = ("budgets", "device_hours", i)
        lengths.append(_Length(path, "device_hours", hours, cooldown, budgets.flops_per_second or 0.0))
    for i, point in enumerate(budgets.points or ()):
        lengths.append(_Length(("budgets", "points", i), "points", point.steps, point.cooldown))
    return lengths


def _short(number: float) -> str:
    """A number as people write it: 1e16, where Python writes 1e+16."""
    mantissa, sign, exponent = f"{number:g}".partition("e")
    if not sign:
        return mantissa
    return f"{mantissa}e{int(exponent)}"


class _Resolution:
    """The walk over the grid, with what it meets on the way."""

    def __init__(self, models: dict[str, Model], data: Data, train: Train, grid: Grid, lengths: list[_Length]) -> None:
        self.models, self.data, self.train, self.grid, self.lengths = models, data, train, grid, lengths
        self.unmet = {(kind, i) for kind in ("only", "skip") for i in range(len(getattr(grid, kind)))}
        self.short: dict[_Length, tuple[int, str, RecipeSpec]] = {}  # steps, model and recipe that it is shortest for
        self.notes: dict[_Length, Finding] = {}
        self.skipped = 0

    def resolved(self) -> Resolved:
        cells = _apart([cell for name, model in self.models.items() for cell in self.cells(name, shape(model))])
        findings = [self.too_short(length, *worst) for length, worst in self.short.items()] + list(self.notes.values())
        for kind, i in sorted(self.unmet):
            verb = {"skip": "skips", "only": "keeps"}[kind]
            message = f"{verb} nothing: no run of the grid has {getattr(self.grid, kind)[i]}"
            findings.append(Finding(("grid", kind, i), message, severity="warning"))
        if not cells and not self.short:
            kind = "only" if self.grid.only else "skip"
            findings.append(Finding(("grid", kind), "these rules leave no run of the grid", "change or remove one"))
        return Resolved(cells, self.skipped, tuple(findings))

    def cells(self, name: str, model: ModelSpec) -> Iterator[Cell]:
        """Yield the runs of a model, those beside the grid last."""
        subsets = [subset(self.data, size) for size in sorted(self.data.sizes)]
        smallest = subsets[0]
        plain = vars(recipe(self.train, smallest.num_classes))
        recipes = {swept: recipe(self.train, smallest.num_classes, swept) for swept in self.grid.sweep.variants()}
        differing = {swept: tuple(pair for pair in swept if plain[pair[0]] != pair[1]) for swept in recipes}
        counts = {swept: _params(model, smallest, variant) for swept, variant in recipes.items()}
        ends = {
            swept: self.ends(name, TrunkSpec(model, smallest, variant, seed=0)) for swept, variant in recipes.items()
        }
        made: set[RunSpec] = set()
        for data, (swept, variant), seed in product(subsets, recipes.items(), sorted(self.grid.seeds)):
            trunk = TrunkSpec(model, data, variant, seed)
            for (steps, cooldown), length in ends[swept].items():
                run, choice = RunSpec(trunk, steps, cooldown), (swept, differing[swept])
                cell = Cell(name, run, counts[swept], *choice, budget=length.budget)
                if self.keeps(cell) and self.is_long_enough(cell, length):
                    made.add(cell.run)
                    yield cell
        for i, extra in enumerate(self.grid.extra):
            if extra.model == name:
                yield from self.beside(i, extra, model, made)

    def beside(self, i: int, extra: Extra, model: ModelSpec, made: set[RunSpec]) -> Iterator[Cell]:
        """Yield the run that grid.extra[i] asks for, unless the grid has it."""
        data = subset(self.data, extra.data_size)
        plain = recipe(self.train, data.num_classes)
        share = extra.cooldown or self.train.schedule.cooldown
        length = _Length(("grid", "extra", i), "steps", extra.steps, share)
        run = RunSpec(TrunkSpec(model, data, plain, extra.seed), extra.steps, _cooldown(plain, share, extra.steps))
        cell = Cell(extra.model, run, _params(model, data, plain), extra=i, budget=length.budget)
        if extra.steps > MAX_STEPS:
            self.notes[length] = _too_long(length, extra.steps, extra.model)
        elif run in made:
            self.notes[length] = Finding(length.path, "a run that is there already: it runs once", severity="warning")
        elif self.is_long_enough(cell, length):
            made.add(run)
            yield cell

    def ends(self, name: str, trunk: TrunkSpec) -> dict[tuple[int, int], _Length]:
        """The steps and cooldowns of a model's runs, shortest first; data size and seed don't change them."""
        ends: dict[tuple[int, int], _Length] = {}
        for length in self.lengths:
            steps = length.steps(trunk)
            first = ends.setdefault((steps, _cooldown(trunk.recipe, length.cooldown, steps)), length)
            if steps > MAX_STEPS:
                self.notes.setdefault(length, _too_long(length, steps, name))
            elif first is not length:
                message = f"the same {counted(steps, 'step')} of {name} as {dotted(first.path)}: they run once"
                self.notes.setdefault(length, Finding(length.path, message, severity="warning"))
        return dict(sorted(ends.items(), key=lambda end: end[0]))

    def keeps(self, cell: Cell) -> bool:
        """Tell whether the rules of the grid keep a cell, and note which rules hold for it."""
        if not self.grid.only and not self.grid.skip:
            return True
        settings = cell.settings()
        only = {("only", i) for i, rule in enumerate(self.grid.only) if rule.holds(settings)}
        skip = {("skip", i) for i, rule in enumerate(self.grid.skip) if rule.holds(settings)}
        self.unmet -= only | skip
        kept = not skip and bool(only or not self.grid.only)
        if not kept:
            self.skipped += 1
        return kept

    def is_long_enough(self, cell: Cell, length: _Length) -> bool:
        """Tell whether a run outlasts its warmup and cooldown, and note the budget that is too short."""
        spec = cell.run.trunk.recipe
        last_warm = cell.run.steps - 1 if spec.needs_horizon else cell.run.branch
        enough = last_warm >= spec.warmup and cell.run.steps > 0
        if not enough:
            candidate = (cell.run.steps, cell.model, spec)
            self.short[length] = min(self.short.get(length, candidate), candidate, key=lambda short: short[0])
        return enough

    def too_short(self, length: _Length, steps: int, model: str, spec: RecipeSpec) -> Finding:
        need = f"warmup alone is {spec.warmup:,}"
        if steps > spec.warmup:
            need = f"warmup and cooldown need {spec.warmup:,} + {length.cooldown.in_steps(steps):,}"
        if length.kind in ("steps", "points"):
            are = "is" if steps == 1 else "are"
            return Finding(length.path, f"{counted(steps, 'step')} {are} too few: {need}", "raise it, or shorten them")
        message = f"{length} {counted(steps, 'step')} of {model} at batch {spec.batch_size:,}; {need}"
        return Finding(length.path, message, "raise the budget, or drop that size")


def _apart(cells: list[Cell]) -> tuple[Cell, ...]:
    """The cells, of which those that differ in nothing but their cooldown have it in their names."""
    numbers = Counter(cell.name for cell in cells)
    if len(numbers) == len(cells):
        return tuple(cells)
    return tuple(replace(cell, cooldown_differs=numbers[cell.name] > 1) for cell in cells)


def _too_long(length: _Length, steps: int, model: str) -> Finding:
    return Finding(length.path, f"{length} {_short(steps)} steps of {model}, more than {_short(MAX_STEPS)}", "lower it")


def _cooldown(spec: RecipeSpec, share: Share, steps: int) -> int:
    """The steps that a run shares with no other: its cooldown, or all where the schedule needs the horizon."""
    if spec.needs_horizon:
        return steps
    return share.in_steps(steps)


def _params(model: ModelSpec, data: DataSpec, spec: RecipeSpec) -> int:
    return params(
        model,
        head=spec.head,
        image_size=data.image_size,
        channels=data.channels,
        num_classes=data.num_classes,
        positions=spec.positions,
        pre_logits=spec.pre_logits,
    )
