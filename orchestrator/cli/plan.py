"""The verb plan: the runs of a file, what they cost and why each will run."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import experiment_of, output, overrides, slots_option, yaml_file
from scalectl.orchestrator.errors import Exit


@click.command()
@yaml_file
@overrides
@slots_option
@click.option("--check", is_flag=True, help="Exit 3 when something is left to do.")
@output("table", "json")
def plan(file: Path, changes: Sequence[str], slots: int | None, check: bool, form: str) -> Exit:
    """Show the runs of FILE, their cost, and why each will run.

    Nothing is started.
    """
    from scalectl.orchestrator.cli import plan_screen
    from scalectl.orchestrator.cluster.process import usable
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.report.study import DEFAULT

    experiment = experiment_of(file, changes)
    found, _ = planned(experiment)
    slots = slots or found.slots(len(usable()))
    if form == "json":
        click.echo(json.dumps(plan_screen.document(found, slots), indent=2))
    else:
        fit = plan_screen.tightest(experiment.fits or DEFAULT, experiment.cells)
        click.echo(plan_screen.text(found, str(file), experiment.store, slots, fit, changes))
    return Exit.WORK_LEFT if check and found.missing else Exit.DONE
