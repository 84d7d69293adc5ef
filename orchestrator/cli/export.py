"""The verb export: the runs of a study as a file for other programs."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.options import store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import counted


@click.command()
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The file, in the format of its suffix, such as runs.csv.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
@study_option
@where_option
@store_option
def export(file: Path, store: Path, study: str | None, where: str | None, force: bool) -> Exit:
    """Write the runs of a study to a CSV, JSON or Parquet file.

    A row has the settings, costs and metrics of a run: the columns of the view points, which --where knows too.
    """
    from scalectl.orchestrator.report import exports

    number = exports.export(file, store, study, where, force=force)
    click.echo(f"{counted(number, 'run')} written to {file}.")
    return Exit.DONE
