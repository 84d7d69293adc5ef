"""The verb logs: attempts, warnings and failures of a run."""

import time
from pathlib import Path

import click

from scalectl.orchestrator.cli.chosen import run_argument
from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.errors import Exit

FOLLOW_SECONDS = 1.0


@click.command()
@run_argument
@store_option
@click.option("-f", "--follow", is_flag=True, help="Keep printing until no launch is running.")
def logs(run: str, store: Path, follow: bool) -> Exit:
    """Print the attempts, warnings and failures of a run.

    Failures come with their tracebacks. RUN is an id, its beginning, or a name.
    """
    from scalectl.orchestrator.store.reading import Store

    reader = Store(store)
    seen: set[str] = set()
    while True:
        works = follow and reader.launcher() is not None  # before reading: the last lines come after the launcher's end
        for line in reader.logs(run):
            if line not in seen:
                click.echo(line)
                seen.add(line)
        if not works:
            return Exit.DONE
        time.sleep(FOLLOW_SECONDS)
