"""The keys of experiments.yaml that say which runs a study has: budgets, and the grid with its sweeps and rules."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from scalectl.orchestrator.experiment.bits import Rate, Seed, Steps, Strength
from scalectl.orchestrator.experiment.rules import SWEPT, Rule, Section, key
from scalectl.orchestrator.experiment.values import Cooldown, Count, Name, Natural, Positive, Several
from scalectl.trainer.spec import Head


class Point(Section):
    """One end of the trunk, with a cooldown of its own."""

    steps: Count = key("Steps of the run, cooldown included.")
    cooldown: Cooldown = key("Steps of its cooldown, or a percentage of its steps.")


class Budgets(Section):
    """How long runs train, in exactly one of these units."""

    steps: Several[Count] | None = key("Optimizer steps.", None)
    images: Several[Count] | None = key("Images seen, repeats counted.", None)
    flops: Several[Positive] | None = key("Training FLOPs: 3 x forward, 2 for a multiply-add.", None)
    points: Several[Point] | None = key("Steps, each with a cooldown of its own.", None)
    device_hours: Several[Positive] | None = key("Hours of one device that trains at flops_per_second.", None)
    flops_per_second: Positive | None = key("Training FLOPs a second of one device, for device_hours.", None)

    def kinds(self) -> list[str]:
        """Return the units that budgets are given in; a checked experiment has one."""
        units = ("steps", "images", "flops", "device_hours", "points")
        return [kind for kind in units if getattr(self, kind) is not None]


class Sweep(Section):
    """Settings of the recipe that take several values; each combination is a run of its own."""

    batch_size: Several[Count] | None = key("Images of one step.", None)
    head: Several[Head] | None = key("Poolings before the classifier.", None)
    lr: Several[Rate] | None = key("Peak learning rates.", None)
    clip_norm: Several[Rate] | None = key("Largest global norms of the gradient.", None)
    weight_decay_head: Several[Strength] | None = key("Weight decays of the classification head.", None)
    weight_decay_body: Several[Strength] | None = key("Weight decays of all other kernels.", None)
    warmup: Several[Natural] | None = key("Steps of linear warmup.", None)
    timescale: Several[Steps] | None = key("Steps over which rsqrt and constant decay.", None)

    def variants(self) -> Iterator[tuple[tuple[str, Any], ...]]:
        """Yield each combination as pairs of setting and value; one without pairs where nothing is swept."""
        given = {name: values for name in SWEPT if (values := getattr(self, name)) is not None}
        for values in product(*(sorted(values) for values in given.values())):
            yield tuple(zip(given, values, strict=True))


class Extra(Section):
    """One run beside the grid, with the recipe as `train` gives it."""

    model: Name = key("Name of a model.")
    data_size: Count = key("Number of distinct training images.")
    steps: Count = key("Steps of the run, cooldown included.")
    cooldown: Cooldown | None = key("Steps of its cooldown; what train.schedule says when left out.", None)
    seed: Seed = key("Seed of initialisation and data order.", 0)


class Grid(Section):
    """Which cells of models x sizes x budgets x seeds x swept settings are run."""

    seeds: Several[Seed] = key("Seeds of initialisation and data order; each is a run of its own.", (0,))
    sweep: Sweep = key("Settings of the recipe that take several values, in place of what train says.", Sweep())
    only: tuple[Rule, ...] = key("Cells to keep: those that satisfy any of these rules; all when left out.", ())
    skip: tuple[Rule, ...] = key("Cells to leave out: those that satisfy any of these rules.", ())
    extra: tuple[Extra, ...] = key("Runs beside the grid; no rule leaves them out.", ())
