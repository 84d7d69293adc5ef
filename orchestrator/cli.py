"""The command line: verbs, flags, exit codes. Each command imports its own rooms, so that --help stays quick."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli_analysis import fit, named, plot
from orchestrator.exits import Exit, Refusal
from orchestrator.options import output, store_option

if TYPE_CHECKING:
    from orchestrator.experiment import Experiment
    from orchestrator.records import Records

yaml_file = click.argument("file", type=click.Path(path_type=Path), metavar="FILE", default="experiments.yaml")
overrides = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the file.")
slots_option = click.option("--slots", type=click.IntRange(min=1), help="Jobs at a time; one a core unless told.")


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
    experiment = _experiment(file, changes)
    trunks = {cell.run.trunk for cell in experiment.cells if cell.run.branch}
    click.echo(f"{file} is valid: {len(experiment.cells)} runs on {len(trunks)} trunks.")
    click.echo(f"Next: scalectl plan {file}")
    return Exit.DONE


@scalectl.command()
def schema() -> Exit:
    """Print the JSON Schema of experiments.yaml, for editors."""
    from orchestrator.experiment import schema_json

    click.echo(json.dumps(schema_json(), indent=2))
    return Exit.DONE


@scalectl.command()
@output("table", "json")
def models(form: str) -> Exit:
    """List the shapes of the paper's Table 2, with their parameters and FLOPs."""
    from orchestrator import sizes

    click.echo(json.dumps(sizes.document(), indent=2) if form == "json" else sizes.text())
    return Exit.DONE


@scalectl.command()
@yaml_file
@overrides
@slots_option
@click.option("--check", is_flag=True, help="Exit 3 when something is left to do.")
@output("table", "json")
def plan(file: Path, changes: Sequence[str], slots: int | None, check: bool, form: str) -> Exit:
    """Show the runs of FILE, what they cost and why each will run; nothing is started."""
    from orchestrator import plan_screen
    from orchestrator.study import cores, planned

    experiment = _experiment(file, changes)
    found, _ = planned(experiment)
    if form == "json":
        click.echo(json.dumps(plan_screen.document(found, slots or cores()), indent=2))
    else:
        click.echo(plan_screen.text(found, str(file), experiment.store, slots or cores()))
    return Exit.WORK_LEFT if check and found.missing else Exit.DONE


@scalectl.command()
@yaml_file
@overrides
@slots_option
@click.option("-n", "--dry-run", is_flag=True, help="Plan only.")
@click.option("--address", envvar="RAY_ADDRESS", help="A Ray cluster that runs already; RAY_ADDRESS says the same.")
@click.option("--here", is_flag=True, help="Train in this process, without Ray.")
@click.pass_context
def launch(
    context: click.Context,
    file: Path,
    changes: Sequence[str],
    slots: int | None,
    dry_run: bool,
    address: str | None,
    here: bool,
) -> Exit:
    """Run what is missing of FILE, then fit the law and draw the frontier."""
    if dry_run:
        return context.invoke(plan, file=file, changes=changes, slots=slots)
    from orchestrator.study import carry_out

    experiment = _experiment(file, changes)
    outcome = carry_out(experiment, slots=slots, address=address, here=here)
    anew = outcome.worked or not experiment.figure.exists()
    if outcome.exit is not Exit.INTERRUPTED and outcome.done and anew:
        from orchestrator.conclusion import conclude

        for line in conclude(experiment):
            click.echo(line)
    click.echo(outcome.text(file))
    return outcome.exit


@scalectl.command()
@store_option
@click.option("--runs", is_flag=True, help="A line for each run.")
@click.option("--check", is_flag=True, help="Exit 3 unless every run is done.")
@output("table", "json")
def status(store: Path, runs: bool, check: bool, form: str) -> Exit:
    """Say what is going on, from the store alone."""
    from orchestrator import status as room

    found = room.read(store)
    width = room.WIDTH if sys.stdout.isatty() else None
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else found.text(runs=runs, width=width))
    return Exit.WORK_LEFT if check and found.unfinished else Exit.DONE


scalectl.add_command(fit)
scalectl.add_command(plot)


@scalectl.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option("--study", help="Name for these runs; that of the file unless told.")
@store_option
def take_in(file: Path, study: str | None, store: Path) -> Exit:
    """Take the runs of FILE.csv into the store, to be fitted and drawn; importing again doubles nothing."""
    from orchestrator.foreign import read
    from orchestrator.records import Records

    others, left_out = read(file)
    with Records(store) as records:
        new = records.take_in(others, study or file.stem, file.name)
    metrics = ", ".join(dict.fromkeys(name for run in others for name in run.metrics))
    click.echo(f"{len(others)} runs imported, {new} of them new; metrics: {metrics or 'none'}.")
    if left_out:
        click.echo(f"Left out, because they hold no number: {', '.join(left_out)}.", err=True)
    click.echo(f"Next: scalectl fit{named(store)} --metric METRIC")
    return Exit.DONE


@scalectl.command()
@click.argument("run", metavar="RUN")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the record.")
@store_option
def exclude(run: str, reason: str, store: Path) -> Exit:
    """Leave the run of this id out of fits; its numbers stay."""
    with _held(store) as records:
        records.exclude(run, reason)
    click.echo(f"{run} is left out of fits. Next: scalectl fit")
    return Exit.DONE


@scalectl.command()
@click.argument("run", metavar="RUN")
@store_option
def include(run: str, store: Path) -> Exit:
    """Take an exclusion back."""
    with _held(store) as records:
        records.include(run)
    click.echo(f"{run} is fitted again. Next: scalectl fit")
    return Exit.DONE


def _held(store: Path) -> "Records":
    """Return a store that is there, held for writing."""
    from orchestrator.records import Records
    from orchestrator.store import reading

    with reading(store):  # a store that isn't there is not made
        return Records(store)


def _experiment(file: Path, changes: Sequence[str]) -> "Experiment":
    from orchestrator.experiment import read

    pairs = []
    for change in changes:
        key, sign, value = change.partition("=")
        if not (key and sign):
            raise click.UsageError(f"--set {change}: write KEY=VALUE, for example --set train.batch_size=128")
        pairs.append((key, value))
    return read(file, pairs)


def main() -> None:
    """Run the command line and exit with the code that docs/architecture.md lists; no traceback without --debug."""
    try:
        code = scalectl.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        code = Exit.DONE
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _explain(error)
    sys.exit(int(code or Exit.DONE))


def _explain(error: Exception) -> Exit:
    if isinstance(error, Refusal):
        click.echo(str(error), err=True)
        return error.exit
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    click.echo("scalectl --debug COMMAND ... shows where; please report it.", err=True)
    return Exit.FAILED
