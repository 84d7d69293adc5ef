"""Models x data sizes x budgets x seeds to the runs of a study."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.problem import Finding, Path, dotted
from orchestrator.schema import Budgets, Data, Grid, Model, Train
from orchestrator.specs import known, recipe, shape, subset
from orchestrator.values import Share
from trainer.flops import params, steps_for_flops, steps_for_images
from trainer.spec import ModelSpec, RunSpec, TrunkSpec

MAX_CELLS = 100_000
MAX_STEPS = 10**9  # the longest run of the paper has 6.3 million


@dataclass(frozen=True)
class Cell:
    """One run of the grid under the name that its model has in experiments.yaml."""

    model: str
    run: RunSpec
    params: int

    def settings(self) -> dict[str, str | int]:
        """Return what skip rules and held-out runs are chosen by."""
        trunk = self.run.trunk
        counts = {"data_size": trunk.data.size, "steps": self.run.steps, "seed": trunk.seed, "params": self.params}
        return {"model": self.model, **counts}


@dataclass(frozen=True)
class Resolved:
    """The cells of a grid in order of model as listed, data size, seed and steps; how many were skipped; findings."""

    cells: tuple[Cell, ...]
    skipped: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Length:
    """One budget as typed, at `path`, with its cooldown."""

    path: Path
    kind: str
    amount: float
    cooldown: Share

    def __str__(self) -> str:
        if self.kind == "flops":
            return f"{_short(self.amount)} FLOPs buy"
        return f"{self.amount:,} images buy" if self.kind == "images" else f"{self.amount:,} steps are"

    def steps(self, trunk: TrunkSpec) -> int:
        if self.kind == "flops":
            return steps_for_flops(trunk, self.amount)
        if self.kind == "images":
            return steps_for_images(trunk, self.amount)
        return int(self.amount)


def resolve(models: dict[str, Model], data: Data, train: Train, budgets: Budgets, grid: Grid) -> Resolved:
    """Return the cells of a checked grid, or the findings that say why there are none."""
    lengths = _lengths(budgets, train.schedule.cooldown)
    size = len(models) * len(data.sizes) * len(lengths) * len(grid.seeds)
    if size > MAX_CELLS:
        sides = f"{len(models)} models x {len(data.sizes)} sizes x {len(lengths)} budgets x {len(grid.seeds)} seeds"
        what = f"{sides} are {size:,} runs, more than {MAX_CELLS:,}"
        return Resolved((), 0, (Finding(("grid",), what, "shorten a list, or make several studies"),))
    return _Resolution(models, data, train, grid, lengths).resolved()


def _lengths(budgets: Budgets, cooldown: Share) -> list[_Length]:
    found = [
        _Length(("budgets", kind, i), kind, amount, cooldown)
        for kind in ("steps", "images", "flops")
        for i, amount in enumerate(getattr(budgets, kind) or ())
    ]
    points = enumerate(budgets.points or ())
    return found + [_Length(("budgets", "points", i), "points", at.steps, at.cooldown) for i, at in points]


def _short(number: float) -> str:
    """Return 1e16 for 1e16, where Python writes 1e+16."""
    mantissa, sign, exponent = f"{number:g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if sign else mantissa


class _Resolution:
    """The walk over the grid, with what it meets on the way."""

    def __init__(self, models: dict[str, Model], data: Data, train: Train, grid: Grid, lengths: list[_Length]) -> None:
        self.models, self.data, self.grid, self.lengths = models, data, grid, lengths
        self.recipe = recipe(train, known(data).num_classes)
        self.unmet = set(range(len(grid.skip)))  # rules that have skipped nothing so far
        self.short: dict[_Length, tuple[int, str]] = {}  # steps and name of the model that it is shortest for
        self.notes: dict[_Length, Finding] = {}
        self.skipped = 0

    def resolved(self) -> Resolved:
        cells = tuple(cell for name, model in self.models.items() for cell in self.cells(name, shape(model)))
        findings = [self.too_short(length, *worst) for length, worst in self.short.items()] + list(self.notes.values())
        for i in sorted(self.unmet):
            what = f"skips nothing: no run of the grid has {self.grid.skip[i]}"
            findings.append(Finding(("grid", "skip", i), what, severity="warning"))
        if not cells and not self.short:
            findings.append(Finding(("grid", "skip"), "these rules skip every run of the grid", "narrow or remove one"))
        return Resolved(cells, self.skipped, tuple(findings))

    def cells(self, name: str, spec: ModelSpec) -> Iterator[Cell]:
        data = [subset(self.data, size) for size in sorted(self.data.sizes)]
        count = params(
            spec,
            head=self.recipe.head,
            image_size=data[0].image_size,
            channels=data[0].channels,
            num_classes=data[0].num_classes,
            positions=self.recipe.positions,
        )
        ends = self.ends(name, TrunkSpec(spec, data[0], self.recipe, seed=0))
        for one in data:
            for seed in sorted(self.grid.seeds):
                trunk = TrunkSpec(spec, one, self.recipe, seed)
                for (steps, cooldown), length in ends.items():
                    cell = Cell(name, RunSpec(trunk, steps, cooldown), count)
                    if self.keeps(cell, length):
                        yield cell

    def ends(self, name: str, trunk: TrunkSpec) -> dict[tuple[int, int], _Length]:
        """Return the steps and cooldowns of a model's runs, shortest first; data size and seed don't change them."""
        found: dict[tuple[int, int], _Length] = {}
        for length in self.lengths:
            steps = length.steps(trunk)
            cooldown = steps if self.recipe.needs_horizon else length.cooldown.of(steps)
            first = found.setdefault((steps, cooldown), length)
            if steps > MAX_STEPS:
                what = f"{length} {_short(steps)} steps of {name}, more than {_short(MAX_STEPS)}"
                self.notes.setdefault(length, Finding(length.path, what, "lower it"))
            elif first is not length:
                what = f"the same {steps:,} steps of {name} as {dotted(first.path)}: they run once"
                self.notes.setdefault(length, Finding(length.path, what, severity="warning"))
        return dict(sorted(found.items(), key=lambda item: item[0]))

    def keeps(self, cell: Cell, length: _Length) -> bool:
        """Return whether a cell is run; notes why if it isn't."""
        settings = cell.settings()
        rules = [i for i, rule in enumerate(self.grid.skip) if rule.holds(settings)]
        self.unmet.difference_update(rules)
        self.skipped += bool(rules)
        last_warm = cell.run.steps - 1 if self.recipe.needs_horizon else cell.run.branch
        long_enough = last_warm >= self.recipe.warmup and cell.run.steps > 0
        if not rules and not long_enough:
            this = (cell.run.steps, cell.model)
            self.short[length] = min(self.short.get(length, this), this, key=lambda found: found[0])
        return not rules and long_enough

    def too_short(self, length: _Length, steps: int, model: str) -> Finding:
        cooldown, warmup = length.cooldown.of(steps), self.recipe.warmup
        need = f"warmup alone is {warmup:,}"
        if steps > warmup:
            need = f"warmup and cooldown need {warmup:,} + {cooldown:,}"
        if length.kind in ("steps", "points"):
            return Finding(length.path, f"{steps:,} steps are too few: {need}", "raise it, or shorten them")
        what = f"{length} {steps:,} steps of {model} at batch {self.recipe.batch_size:,}; {need}"
        return Finding(length.path, what, "raise the budget, or drop that size")
