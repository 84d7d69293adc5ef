"""Runs as the words of a command line name them, and the store that holds them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.states import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.records import Records


run_argument = click.argument("run", metavar="RUN")
runs_argument = click.argument("words", metavar="[RUN]...", nargs=-1)


def chosen(
    store: Path, words: Sequence[str], every: bool, flag: str, states: Sequence[RunState]
) -> tuple[list[str], str]:
    """The ids of the runs that are named, or with the flag of all, in one of the states; and what the others are."""
    if bool(words) == every:
        raise click.UsageError(f"name runs, or give {flag}.")
    from scalectl.orchestrator.store.reading import Store

    reader, named = Store(store), None
    if words:
        named = reader.ids(words)
    runs = {state: reader.in_states([state], named) for state in RunState}
    wanted = reader.in_states(states, named)
    remark = ", ".join(f"{len(runs[state])} {state}" for state in runs if runs[state] and state not in states)
    return wanted, remark or "no such run is in the last plan"


def to_evaluate(store: Path, words: Sequence[str]) -> list[str]:
    """The ids of the runs that are done and that a launcher evaluates anew; of those named, if any are."""
    from scalectl.orchestrator.store.reading import Store

    reader = Store(store)
    if not words:
        return reader.to_evaluate()
    return reader.to_evaluate(reader.ids(words))


def ids(store: Path, words: Sequence[str]) -> list[str]:
    """The ids of the runs that words name, imported ones too; raises NotFound for a word that names none or several."""
    from scalectl.orchestrator.store.reading import Store

    return Store(store).ids(words, imported=True)


def held(store: Path) -> "Records":
    """A store, which has to be there, held for writing."""
    from scalectl.orchestrator.store.records import Records

    return Records(store)
