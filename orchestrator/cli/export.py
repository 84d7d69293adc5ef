"""The verb export: a study for other programs, as a file, a folder, or a bundle that goes on elsewhere."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.options import store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import counted

FORMATS = ("csv", "parquet", "jsonl", "tensorboard", "wandb", "mlflow")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]", required=False)
@click.option("--to", "target", type=click.Choice(FORMATS), help="Write points, curves and measurements to DIR.")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the runs to one file, in the format of its suffix, such as runs.csv.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
@study_option
@where_option
@store_option
def export(
    folder: Path | None,
    target: str | None,
    file: Path | None,
    store: Path,
    study: str | None,
    where: str | None,
    force: bool,
) -> Exit:
    """Write a study for other programs.

    -o writes a row for each run to a CSV, JSON or Parquet file: the columns of the view points, which --where knows
    too. --to writes a folder: points, curves and measurements as tables, or all runs for TensorBoard, Weights & Biases
    or MLflow. Writing the same again changes nothing, and a folder that holds anything else is refused.
    """
    if (target is None) != (folder is None) or (target is None) == (file is None):
        raise click.UsageError("give -o FILE, or --to FORMAT DIR.")
    if target is not None and folder is not None:
        _to_folder(target, folder, store, study, where)
    if file is not None:
        from scalectl.orchestrator.report import exports

        number = exports.export(file, store, study, where, force=force)
        click.echo(f"{counted(number, 'run')} written to {file}.")
    return Exit.DONE


def _to_folder(target: str, folder: Path, store: Path, study: str | None, where: str | None) -> None:
    from scalectl.orchestrator.export.targets import TARGETS, export_to

    done = export_to(target, folder, store, study, where)
    number = counted(len(done.content.points), "run")
    if not done.new:
        click.echo(f"{folder} has these {number} already; nothing was changed.")
        return
    click.echo(f"{number} written to {folder}.")
    if opened_by := TARGETS[target].opened_by:
        click.echo(f"Next: {opened_by.format(folder)}")
