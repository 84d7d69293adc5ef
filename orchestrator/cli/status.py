"""The verb status: how far a study is, and what each run waits for."""

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import answer, output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.states import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.status import Status


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

    if unknown := [state for state in states if state not in [*RunState]]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(RunState)}.")
    width = None
    if sys.stdout.isatty():
        width = WIDTH
    for current in _statuses(store, watch=watch):
        shown = current
        if states:
            shown = current.only(states)
        if watch and width:
            click.clear()
        answer(form, shown.to_json, partial(text, shown, runs=runs or bool(states), width=width))
    if check and current.unfinished:
        return Exit.WORK_LEFT
    return Exit.DONE


def _statuses(store: Path, *, watch: bool) -> "Iterable[Status]":
    """The status of a store now or, watched, again whenever it has changed."""
    from scalectl.orchestrator.store.reading import Store

    if watch:
        return Store(store).watch()
    return [Store(store).status()]
