"""The verb report: a study as one page that opens from disk in any browser."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.options import quiet_option, say, store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, size

LARGE = 3e6  # bytes of a page, above which it is told what to do


@click.command()
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    help="The page.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there and no page.")
@study_option
@where_option
@store_option
@quiet_option
def report(file: Path, force: bool, study: str | None, where: str | None, store: Path) -> Exit:
    """Write a study as one page for the browser.

    It has the figures with hover, zoom and filters, the laws, all runs, what they cost and where they come from. The
    file holds all that it shows and loads nothing, so that it can be mailed or kept. --where writes the page of some of
    the runs, with laws of these alone.
    """
    from scalectl.orchestrator.page.writing import write_page

    written = write_page(file, store, study, where, force=force)
    say(f"{file} written: {counted(written.runs, 'run')}, {size(written.size)}. Open it in a browser.")
    if written.size > LARGE:
        say("That is slow on a phone and much for a mail: --where EXPR writes the page of some of these runs.")
    following = command("status --runs", store=store)
    if written.fitted:  # else it refuses with the words that the page has
        following = command("fit", store=store, options={"study": study, "where": where})
    say(f"Next: {following}")
    return Exit.DONE
