"""The verb export: a study for other programs, as a file, a folder, or a bundle that goes on elsewhere."""

import os
import select
import sys
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import quiet_option, say, store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import counted, size

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
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="ZIP",
    help="Write store, YAML, figures, page and environment to one file, for scalectl import on another machine.",
)
@click.option("--checkpoints", is_flag=True, help="Put checkpoints into the bundle, too.")
@click.option("--live", is_flag=True, hidden=True)  # what a launch with --export starts: ends with its input
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
@study_option
@click.option("--all-studies", is_flag=True, help="Write all studies: to FILE in one table, to DIR in a folder each.")
@where_option
@store_option
@quiet_option
def export(
    folder: Path | None,
    target: str | None,
    file: Path | None,
    bundle: Path | None,
    checkpoints: bool,
    live: bool,
    store: Path,
    study: str | None,
    all_studies: bool,
    where: str | None,
    force: bool,
) -> Exit:
    """Write a study for other programs.

    -o writes a row for each run to a CSV, JSON or Parquet file: the columns of the view points, which --where knows
    too. --to writes a folder: points, curves and measurements as tables, or all runs for TensorBoard, Weights & Biases
    or MLflow. Writing the same again changes nothing, and a folder that holds anything else is refused. --bundle writes
    all of a study to one file, with which a launch goes on elsewhere.
    """
    if (target is None) != (folder is None) or sum(way is not None for way in (target, file, bundle)) != 1:
        raise click.UsageError("give -o FILE, --to FORMAT DIR, or --bundle ZIP.")
    if (checkpoints and bundle is None) or (where and bundle):
        raise click.UsageError("--checkpoints belongs to --bundle, which has all runs of a store.")
    if force and target is not None:
        raise click.UsageError(
            "--force belongs to -o FILE and --bundle ZIP: a folder of --to is written again without."
        )
    if all_studies and (study or bundle):
        raise click.UsageError("--all-studies is for -o and --to, without --study: a bundle has the store of all.")
    if bundle is not None:
        _bundle(bundle, store, study, checkpoints=checkpoints, force=force)
        return Exit.DONE
    if file is not None:
        from scalectl.orchestrator.report import exports

        number = exports.export(file, store, study, where, force=force, all_studies=all_studies)
        say(f"{counted(number, 'run')} written to {file}.")
    elif target is not None and folder is not None and live:
        _follow(target, folder, store, study or "")
        return Exit.DONE
    elif target is not None and folder is not None:
        write = _to_folders if all_studies else _to_folder
        write(target, folder, store, study, where)
    if not (study or all_studies):
        _say_of_others(store)
    return Exit.DONE


def _say_of_others(store: Path) -> None:
    """Say which study was written where nobody chose it among several."""
    from scalectl.orchestrator.store.reading import Store

    written, *others = Store(store).studies()
    if others:
        say(f"These are of {written}; the store also has {', '.join(others)}. --all-studies writes all of them.")


def _to_folders(target: str, folder: Path, store: Path, _: str | None, where: str | None) -> None:
    """Write a folder for each study that has runs which `where` chooses."""
    from scalectl.orchestrator.export.targets import TARGETS, export_all

    for place, done in export_all(target, folder, store, where):
        what = "written to" if done.new else "are already in"
        say(f"{counted(len(done.content.points), 'run')} {what} {place}.")
    if opened_by := TARGETS[target].all_opened_by:
        say(f"Next: {opened_by.format(folder)}")


def _to_folder(target: str, folder: Path, store: Path, study: str | None, where: str | None) -> None:
    from scalectl.orchestrator.export.targets import TARGETS, export_to

    done = export_to(target, folder, store, study, where)
    number = counted(len(done.content.points), "run")
    if not done.new:
        say(f"{folder} has these {number} already; nothing was changed.")
        return
    say(f"{number} written to {folder}.")
    if opened_by := TARGETS[target].opened_by:
        say(f"Next: {opened_by.format(folder)}")


def _follow(target: str, folder: Path, store: Path, study: str) -> None:
    from scalectl.orchestrator.export.live import follow

    os.nice(10)
    follow(target, folder, store, study, lambda seconds: bool(select.select([sys.stdin], [], [], seconds)[0]))


def _bundle(file: Path, store: Path, study: str | None, **how: bool) -> None:
    from scalectl.orchestrator.export.bundle import bundle

    done = bundle(file, store, study, **how)
    say(f"{file} written: {counted(len(done.members), 'file')}, {size(done.size)}.")
    if done.no_page:
        click.echo(f"It has no page: {done.no_page}", err=True)
    if done.left_out:
        click.echo(f"Left out, as not every machine can have their names: {', '.join(done.left_out)}.", err=True)
    if done.outside:
        text = f"warning: no import takes it: its YAML has {' and '.join(done.outside)}, outside of its own folder."
        click.echo(
            f"{text} Move that there, change the file, launch it, which runs nothing again, and export.", err=True
        )
    if done.code:
        click.echo(f"Code of your own is not in it: copy {', '.join(done.code)} beside its YAML there.", err=True)
    say(f"Next: scalectl import {file}, in a new folder on another machine")
