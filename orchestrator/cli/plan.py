"""The verb plan: the runs of a file, what they cost and why each will run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import answer, experiment_of, output, overrides, slots_option, yaml_file
from scalectl.orchestrator.errors import Exit

if TYPE_CHECKING:
    from scalectl.orchestrator.slots import Slot


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
    from scalectl.orchestrator.cli import plan_screen
    from scalectl.orchestrator.cluster.process import usable
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.report.study import DEFAULT

    experiment = experiment_of(file, changes)
    plan, _ = planned(experiment)
    number = len(slots) or plan.slots(len(usable()))

    def text() -> str:
        fit = plan_screen.tightest(experiment.fits or DEFAULT, experiment.cells)
        return plan_screen.text(plan, str(file), experiment.store, number, fit, changes)

    answer(form, lambda: plan_screen.document(plan, number), text)
    if check and plan.missing:
        return Exit.WORK_LEFT
    return Exit.DONE
