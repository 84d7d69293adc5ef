"""The verbs on the store as a file: db check and db backup."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit


@click.group(cls=Verbs)
def db() -> None:
    """Check the store for damage, or copy it."""


@click.command()
@store_option
def check(store: Path) -> Exit:
    """Read all of the store and name what is damaged, and what helps.

    Commands that write to a store check its pages by themselves; this one reads its indexes and values too.
    """
    from scalectl.orchestrator.store.database import check as check_store

    check_store(store)
    click.echo(f"{store} is sound.")
    return Exit.DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@store_option
def backup(file: Path, store: Path) -> Exit:
    """Copy the store to FILE as of this moment, also during a launch."""
    from scalectl.orchestrator.store.database import copy_to

    copy_to(store, file)
    click.echo(f"{store} copied to {file}.")
    return Exit.DONE


db.add("Store", check, backup)
