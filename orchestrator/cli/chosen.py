"""Runs as the words of a command line name them, and the store that holds them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from scalectl.orchestrator.store.records import Records


run_argument = click.argument("run", metavar="RUN")
runs_argument = click.argument("words", metavar="[RUN]...", nargs=-1)


def chosen(store: Path, words: Sequence[str], every: bool, flag: str, states: Sequence[str]) -> tuple[list[str], str]:
    """The ids of the runs that are named, or with the flag of all, in one of the states; and what the others are."""
    if bool(words) == every:
        raise click.UsageError(f"name runs, or give {flag}.")
    from scalectl.orchestrator.cli.status_screen import STATES
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        named = None
        if words:
            named = lookup.ids(connection, words)
        runs = {state: lookup.in_states(connection, named, [state]) for state in STATES}
        wanted = lookup.in_states(connection, named, states)
    remark = ", ".join(f"{len(runs[state])} {state}" for state in runs if runs[state] and state not in states)
    return wanted, remark or "no such run is in the last plan"


def to_evaluate(store: Path, words: Sequence[str]) -> list[str]:
    """The ids of the runs that are done and that a launcher evaluates anew; of those named, if any are."""
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        named = None
        if words:
            named = lookup.ids(connection, words)
        return lookup.to_evaluate(connection, named)


def ids(store: Path, words: Sequence[str]) -> list[str]:
    """The ids of the runs that words name, imported ones too; raises NotFound for a word that names none or several."""
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        return lookup.ids(connection, words, imported=True)


def held(store: Path) -> "Records":
    """A store, which has to be there, held for writing."""
    from scalectl.orchestrator.store.records import Records

    return Records(store)
