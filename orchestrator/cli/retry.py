"""The verb retry: failed runs are planned again."""

from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.chosen import chosen, held, runs_argument
from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted
from scalectl.orchestrator.states import RunState


@click.command()
@runs_argument
@click.option("--failed", is_flag=True, help="All failed runs; name diverged ones one by one.")
@store_option
def retry(words: Sequence[str], failed: bool, store: Path) -> Exit:
    """Let the next launch retry runs that failed or diverged."""
    states = [RunState.FAILED]
    if words:
        states.append(RunState.DIVERGED)
    wanted, remark = chosen(store, words, failed, "--failed", states)
    if not wanted:
        click.echo(f"There is nothing to retry: {remark}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    with held(store) as records:
        records.settle(wanted, RunState.PLANNED, reason="asked to retry")
    click.echo(f"{counted(len(wanted), 'run')} planned again. Next: {command('launch FILE')}")
    return Exit.DONE
