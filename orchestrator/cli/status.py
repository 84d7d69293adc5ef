"""The verb status: what goes on in a store, and what each run waits for."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.states import RunState


@click.command()
@store_option
@click.option("--runs", is_flag=True, help="A line for each run.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only runs in this state; may be repeated.")
@click.option("-w", "--watch", is_flag=True, help="Keep updating until no launch is running.")
@click.option("--check", is_flag=True, help="Exit 3 unless every run is done.")
@output("table", "json")
def status(store: Path, runs: bool, states: Sequence[str], watch: bool, check: bool, form: str) -> Exit:
    """Show how far a study is, and what each run waits for."""
    from scalectl.orchestrator.cli.status_screen import WIDTH, text
    from scalectl.orchestrator.store.reading import Store

    if unknown := [state for state in states if state not in [*RunState]]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(RunState)}.")
    width = None
    if sys.stdout.isatty():
        width = WIDTH
    reader = Store(store)
    for current in reader.watch() if watch else [reader.status()]:
        shown = current.only(states) if states else current
        if watch and width:
            click.clear()
        if form == "json":
            click.echo(json.dumps(shown.to_json(), indent=2))
        else:
            click.echo(text(shown, runs=runs or bool(states), width=width))
    return Exit.WORK_LEFT if check and current.unfinished else Exit.DONE
