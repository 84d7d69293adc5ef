"""The verb preflight: whether the training steps of a file fit on a slice of TPUs."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import experiment_of, output, overrides, yaml_file
from scalectl.orchestrator.errors import Exit


@click.command()
@yaml_file
@overrides
@click.option("--topology", required=True, metavar="CHIP:SIDES", help="A slice of TPUs, such as v5e:4x4.")
@click.option("--smallest", is_flag=True, help="Compile for other slices too, up to the smallest that fits.")
@output("table", "json")
def preflight(file: Path, changes: Sequence[str], topology: str, smallest: bool, form: str) -> Exit:
    """Check that the training steps of FILE fit on a slice of TPUs.

    The steps are compiled for that slice; no TPU is needed.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX looks for devices
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.plan import preflight as room

    plan, _ = planned(experiment_of(file, changes))
    answers = []
    for slice_answer in room.preflight(plan, topology, search=smallest):
        answers.append(slice_answer)
        if form == "table":
            click.echo(room.text(slice_answer))
    if form == "json":
        click.echo(json.dumps(room.document(answers), indent=2))
    if all(slice_answer.memory.fits for slice_answer in answers):
        return Exit.DONE
    return Exit.REFUSED
