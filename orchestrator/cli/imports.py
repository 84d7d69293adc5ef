"""The verb import: the runs of other people, from a CSV file."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option("--study", help="Name for these runs; by default the name of the file.")
@store_option
def import_runs(file: Path, study: str | None, store: Path) -> Exit:
    """Import other people's runs from a CSV file, to fit and draw them.

    Importing the same file again changes nothing.
    """
    from scalectl.orchestrator.store.imported import read
    from scalectl.orchestrator.store.records import Records

    runs, left_out = read(file)
    with Records(store) as records:
        new = records.take_in(runs, study or file.stem, file.name)
    metrics = ", ".join(dict.fromkeys(name for run in runs for name in run.metrics))
    click.echo(f"{len(runs)} runs imported, {new} of them new; metrics: {metrics}.")
    if left_out:
        click.echo(f"Left out, because they hold no number: {', '.join(left_out)}.", err=True)
    click.echo(f"Next: {command('fit --metric METRIC', store=store)}")
    return Exit.DONE
