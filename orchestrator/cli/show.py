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
    from scalectl.orchestrator.cli.show_screen import text
    from scalectl.orchestrator.store.reading import Store

    details = Store(store).run(run)
    answer(form, details.to_json, lambda: text(details, store))
    return Exit.DONE
