"""The verbs exclude and include: which runs fits leave out."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.chosen import held, ids, run_argument
from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command


@click.command()
@run_argument
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the store.")
@store_option
def exclude(run: str, reason: str, store: Path) -> Exit:
    """Leave a run out of fits; its numbers stay.

    RUN is an id, its beginning, or a name.
    """
    (name,) = ids(store, [run])
    with held(store) as records:
        records.exclude(name, reason)
    click.echo(f"{run} is left out of fits. Next: {command('fit', store=store)}")
    return Exit.DONE


@click.command()
@run_argument
@store_option
def include(run: str, store: Path) -> Exit:
    """Undo exclude.

    RUN is an id, its beginning, or a name.
    """
    (name,) = ids(store, [run])
    with held(store) as records:
        records.include(name)
    click.echo(f"{run} is fitted again. Next: {command('fit', store=store)}")
    return Exit.DONE
