"""The verb status: how far a study is, and what each run waits for."""

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import answer, output, store_option
from scalectl.orchestrator.errors import Exit

if TYPE_CHECKING:
    from scalectl.orchestrator.cli.status_screen import Status


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

    if unknown := [state for state in states if state not in room.STATES]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(room.STATES)}.")
    terminal = sys.stdout.isatty()
    width = None
    if terminal:
        width = room.WIDTH
    for current in _statuses(store, watch=watch):
        shown = current
        if states:
            shown = current.only(states)
        if watch and terminal:
            click.clear()
        text = partial(shown.text, runs=runs or bool(states), width=width)
        answer(form, shown.to_json, text)
    if check and current.unfinished:
        return Exit.WORK_LEFT
    return Exit.DONE


def _statuses(store: Path, *, watch: bool) -> "Iterable[Status]":
    """The status of a store now or, watched, again whenever it has changed."""
    from scalectl.orchestrator.cli.status_screen import read, watched

    if watch:
        return watched(store)
    return [read(store)]
