"""The command line: verbs, flags, exit codes. Each command imports its own rooms, so that --help stays quick."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.advice import predict, suggest
from scalectl.orchestrator.cli.fit import fit
from scalectl.orchestrator.cli.launch import launch, plan, preflight, simulate
from scalectl.orchestrator.cli.options import (
    Unwritable,
    experiment_of,
    guard,
    output,
    overrides,
    store_option,
    yaml_file,
)
from scalectl.orchestrator.cli.plot import plot
from scalectl.orchestrator.cli.runs import exclude, include, logs, retry, show, stop
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.hints import command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="scalectl")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def scalectl(debug: bool) -> None:
    """Plan, train and fit scaling-law studies of Vision Transformers."""


@scalectl.command()
@yaml_file
@overrides
def validate(file: Path, changes: Sequence[str]) -> Exit:
    """Check FILE and say what is wrong with it, all at once."""
    experiment = experiment_of(file, changes)
    trunks = {cell.run.trunk for cell in experiment.cells if cell.run.branch}
    click.echo(f"{file} is valid: {counted(len(experiment.cells), 'run')} on {counted(len(trunks), 'trunk')}.")
    click.echo(f"Next: {command('plan', file, changes=changes)}")
    return Exit.DONE


@scalectl.command()
def schema() -> Exit:
    """Print the JSON Schema of experiments.yaml, for editors."""
    from scalectl.orchestrator.experiment.experiment import schema_json

    click.echo(json.dumps(schema_json(), indent=2))
    return Exit.DONE


@scalectl.command()
@output("table", "json")
def models(form: str) -> Exit:
    """List the shapes of the paper's Table 2, with their parameters and FLOPs."""
    from scalectl.orchestrator.cli import sizes

    click.echo(json.dumps(sizes.document(), indent=2) if form == "json" else sizes.text())
    return Exit.DONE


for one in (plan, preflight, launch, simulate, show, logs, stop, retry, exclude, include):
    scalectl.add_command(one)


@scalectl.command()
@store_option
@click.option("--runs", is_flag=True, help="A line for each run.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only runs in this state; may be repeated.")
@click.option("-w", "--watch", is_flag=True, help="Again and again, until no launcher works on the store.")
@click.option("--check", is_flag=True, help="Exit 3 unless every run is done.")
@output("table", "json")
def status(store: Path, runs: bool, states: Sequence[str], watch: bool, check: bool, form: str) -> Exit:
    """Say what is going on, and what each run waits for, from the store alone."""
    from scalectl.orchestrator.cli import status as room

    if unknown := [state for state in states if state not in room.STATES]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(room.STATES)}.")
    terminal = sys.stdout.isatty()
    for found in room.watched(store) if watch else [room.read(store)]:
        shown = found.only(states) if states else found
        text = shown.text(runs=runs or bool(states), width=room.WIDTH if terminal else None)
        if watch and terminal:
            click.clear()
        click.echo(json.dumps(shown.to_json(), indent=2) if form == "json" else text)
    return Exit.WORK_LEFT if check and found.unfinished else Exit.DONE


for one in (fit, plot, predict, suggest):
    scalectl.add_command(one)


@scalectl.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option("--study", help="Name for these runs; that of the file unless told.")
@store_option
def take_in(file: Path, study: str | None, store: Path) -> Exit:
    """Take the runs of FILE.csv into the store, to be fitted and drawn; importing again doubles nothing."""
    from scalectl.orchestrator.store.imported import read
    from scalectl.orchestrator.store.records import Records

    others, left_out = read(file)
    with Records(store) as records:
        new = records.take_in(others, study or file.stem, file.name)
    metrics = ", ".join(dict.fromkeys(name for run in others for name in run.metrics))
    click.echo(f"{len(others)} runs imported, {new} of them new; metrics: {metrics}.")
    if left_out:
        click.echo(f"Left out, because they hold no number: {', '.join(left_out)}.", err=True)
    click.echo(f"Next: {command('fit --metric METRIC', store=store)}")
    return Exit.DONE


def main() -> None:
    """Run the command line and exit with the code that docs/architecture.md lists; no traceback without --debug."""
    guard()
    try:
        code = scalectl.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = Exit.INTERRUPTED
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _explain(error)
    sys.exit(int(code or Exit.DONE))


def _explain(error: Exception) -> Exit:
    if isinstance(error, Unwritable) and error.unread:
        return Exit.DONE
    if isinstance(error, Refusal):
        click.echo(str(error), err=True)
        return error.exit
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    click.echo("scalectl --debug COMMAND ... shows where; please report it.", err=True)
    return Exit.FAILED
