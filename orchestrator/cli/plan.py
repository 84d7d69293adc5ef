"""The verb plan: the runs of a file, what they cost and why each will run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import answer, experiment_of, output, overrides, slots_option, yaml_file
from scalectl.orchestrator.errors import Exit

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.reading import Experiment
    from scalectl.orchestrator.plan.plan import Plan
    from scalectl.orchestrator.slots import Slot


@dataclass(frozen=True)
class PlannedFile:
    """The plan of a file for a number of slots, as text and as JSON."""

    plan: "Plan"
    experiment: "Experiment"
    file: Path
    changes: Sequence[str]
    slots: int

    def text(self) -> str:
        """The screen for people."""
        from scalectl.orchestrator.cli import plan_screen
        from scalectl.orchestrator.report.fits import DEFAULT

        fit = plan_screen.tightest(self.experiment.fits or DEFAULT, self.experiment.cells)
        return plan_screen.text(self.plan, str(self.file), self.experiment.store, self.slots, fit, self.changes)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; docs/results.md lists its keys."""
        from scalectl.orchestrator.cli import plan_screen

        return plan_screen.document(self.plan, self.slots)


def plan_file(file: Path, changes: Sequence[str] = (), slots: int = 0) -> PlannedFile:
    """The plan of a file, for as many slots as this machine would have by default; nothing is written.

    Raises InvalidExperiment for the file, and Unusable for a store that can't be read.
    """
    from scalectl.orchestrator.cluster.process import usable
    from scalectl.orchestrator.launch.session import planned

    experiment = experiment_of(file, changes)
    plan, _ = planned(experiment)
    return PlannedFile(plan, experiment, file, changes, slots or plan.slots(len(usable())))


@click.command()
@yaml_file
@overrides
@slots_option("Jobs at a time, as 8 or 4xv5e-16; by default one per core.")
@click.option("--check", is_flag=True, help="Exit 3 when something is left to do.")
@output("table", "json")
def plan(file: Path, changes: Sequence[str], slots: "Sequence[Slot]", check: bool, form: str) -> Exit:
    """Show the runs of FILE, their cost, and why each will run.

    Nothing is started.
    """
    shown = plan_file(file, changes, len(slots))
    answer(form, shown.to_json, shown.text)
    if check and shown.plan.missing:
        return Exit.WORK_LEFT
    return Exit.DONE
