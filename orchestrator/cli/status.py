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
    from scalectl.orchestrator.cli import status_screen as room

    if unknown := [state for state in states if state not in [*RunState]]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(RunState)}.")
    terminal = sys.stdout.isatty()
    for found in room.watched(store) if watch else [room.read(store)]:
        shown = found.only(states) if states else found
        text = shown.text(runs=runs or bool(states), width=room.WIDTH if terminal else None)
        if watch and terminal:
            click.clear()
        click.echo(json.dumps(shown.to_json(), indent=2) if form == "json" else text)
    return Exit.WORK_LEFT if check and found.unfinished else Exit.DONE
