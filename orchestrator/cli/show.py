"""The verb show: all that is known of one run."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.chosen import run_argument
from scalectl.orchestrator.cli.options import answer, output, store_option
from scalectl.orchestrator.errors import Exit


@click.command()
@run_argument
@store_option
@output("table", "json")
def show(run: str, store: Path, form: str) -> Exit:
    """Show all that is known of one run.

    RUN is an id, its beginning, or a name.
    """
    from scalectl.orchestrator.cli import show_screen as details

    shown = details.read(store, run)
    answer(form, shown.to_json, lambda: shown.text(store))
    return Exit.DONE
