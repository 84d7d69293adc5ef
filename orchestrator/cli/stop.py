"""The verb stop: runs end at a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.chosen import chosen, held, runs_argument, to_evaluate
from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted
from scalectl.orchestrator.states import RunState


@click.command()
@runs_argument
@click.option("--all", "every", is_flag=True, help="All runs that aren't done.")
@store_option
def stop(words: Sequence[str], every: bool, store: Path) -> Exit:
    """Stop runs at a checkpoint.

    The next launch goes on with them. While no launch is running they are only marked as stopped.
    """
    from scalectl.orchestrator.store.lock import ask_to_stop
    from scalectl.orchestrator.store.reading import Store

    wanted, remark = chosen(store, words, every, "--all", (RunState.PLANNED, RunState.RUNNING))
    launcher = Store(store).launcher()
    if launcher:
        wanted += to_evaluate(store, words)
    if not wanted:
        click.echo(f"There is nothing to stop: {remark}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    if launcher:
        ask_to_stop(store, wanted)
        click.echo(
            f"Asked {launcher} to stop {counted(len(wanted), 'run')}; those that train leave a checkpoint first."
        )
        click.echo(f"Next: {command('status --watch', store=store)}")
        return Exit.DONE
    with held(store) as records:
        records.settle(wanted, RunState.STOPPED, reason="asked to stop")
    click.echo(
        f"No launch is running on {store}; {counted(len(wanted), 'run')} stopped. Next: {command('launch FILE')}"
    )
    return Exit.DONE
