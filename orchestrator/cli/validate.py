"""The verbs validate and schema: a file checked, and the JSON Schema that editors check it by."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import experiment_of, overrides, yaml_file
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted


@click.command()
@yaml_file
@overrides
def validate(file: Path, changes: Sequence[str]) -> Exit:
    """Check FILE and list everything that is wrong with it."""
    experiment = experiment_of(file, changes)
    trunks = {cell.run.trunk for cell in experiment.cells if cell.run.branch}
    click.echo(f"{file} is valid: {counted(len(experiment.cells), 'run')} on {counted(len(trunks), 'trunk')}.")
    click.echo(f"Next: {command('plan', file, changes=changes)}")
    return Exit.DONE


@click.command()
def schema() -> Exit:
    """Print the JSON Schema of experiments.yaml for editors."""
    from scalectl.orchestrator.experiment.schema import schema_json

    click.echo(json.dumps(schema_json(), indent=2))
    return Exit.DONE
