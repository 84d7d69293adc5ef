"""The commands on single runs: show, logs, stop, retry, exclude and include."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.hints import command

if TYPE_CHECKING:
    from scalectl.orchestrator.store.records import Records

FOLLOW_SECONDS = 1.0

one_run = click.argument("run", metavar="RUN")
some_runs = click.argument("chosen", metavar="[RUN]...", nargs=-1)


@click.command()
@one_run
@store_option
@output("table", "json")
def show(run: str, store: Path, form: str) -> Exit:
    """Show all that is known of RUN, which is an id, its beginning, or a name."""
    from scalectl.orchestrator.cli import details

    found = details.read(store, run)
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else found.text(store))
    return Exit.DONE


@click.command()
@one_run
@store_option
@click.option("-f", "--follow", is_flag=True, help="Go on until no launcher works on the store any more.")
def logs(run: str, store: Path, follow: bool) -> Exit:
    """Print what the jobs of RUN have said: attempts, warnings, failures with their tracebacks."""
    from scalectl.orchestrator.store import logs as room
    from scalectl.orchestrator.store.lock import holder

    seen: set[str] = set()
    while True:
        works = follow and holder(store) is not None  # before reading: the last lines come after the launcher's end
        for line in room.lines(store, run):
            if line not in seen:
                click.echo(line)
                seen.add(line)
        if not works:
            return Exit.DONE
        time.sleep(FOLLOW_SECONDS)


@click.command()
@some_runs
@click.option("--all", "every", is_flag=True, help="All runs that aren't done.")
@store_option
def stop(chosen: Sequence[str], every: bool, store: Path) -> Exit:
    """Stop runs at a checkpoint, whether a launcher works on them or not; the next launch goes on with them."""
    from scalectl.orchestrator.store.lock import ask_to_stop, holder

    wanted, others = _chosen(store, chosen, every, "--all", ("planned", "running"))
    launcher = holder(store)
    wanted += _to_evaluate(store, chosen) if launcher else []
    if not wanted:
        click.echo(f"There is nothing to stop: {others}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    if launcher:
        ask_to_stop(store, wanted)
        click.echo(
            f"Asked {launcher} to stop {counted(len(wanted), 'run')}; those that train leave a checkpoint first."
        )
        click.echo(f"Next: {command('status --watch', store=store)}")
        return Exit.DONE
    with _held(store) as records:
        records.settle(wanted, "stopped", reason="asked to stop")
    click.echo(f"No launcher works on {store}; {counted(len(wanted), 'run')} stopped. Next: {command('launch FILE')}")
    return Exit.DONE


@click.command()
@some_runs
@click.option("--failed", is_flag=True, help="All runs that failed; diverged ones have to be named.")
@store_option
def retry(chosen: Sequence[str], failed: bool, store: Path) -> Exit:
    """Have the next launch try runs again that failed or diverged."""
    states = ("failed", "diverged") if chosen else ("failed",)
    wanted, others = _chosen(store, chosen, failed, "--failed", states)
    if not wanted:
        click.echo(f"There is nothing to try again: {others}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    with _held(store) as records:
        records.settle(wanted, "planned", reason="asked to retry")
    click.echo(f"{counted(len(wanted), 'run')} planned again. Next: {command('launch FILE')}")
    return Exit.DONE


@click.command()
@one_run
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the record.")
@store_option
def exclude(run: str, reason: str, store: Path) -> Exit:
    """Leave RUN out of fits; its numbers stay."""
    (name,) = _ids(store, [run])
    with _held(store) as records:
        records.exclude(name, reason)
    click.echo(f"{run} is left out of fits. Next: {command('fit', store=store)}")
    return Exit.DONE


@click.command()
@one_run
@store_option
def include(run: str, store: Path) -> Exit:
    """Take an exclusion back."""
    (name,) = _ids(store, [run])
    with _held(store) as records:
        records.include(name)
    click.echo(f"{run} is fitted again. Next: {command('fit', store=store)}")
    return Exit.DONE


def _chosen(store: Path, words: Sequence[str], every: bool, flag: str, states: Sequence[str]) -> tuple[list[str], str]:
    """Return the ids of the runs that are named, or with the flag of all, in one of the states, and what others are."""
    if bool(words) == every:
        raise click.UsageError(f"name runs, or give {flag}.")
    from scalectl.orchestrator.cli.status import STATES
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        named = lookup.ids(connection, words) if words else None
        runs = {state: lookup.in_states(connection, named, [state]) for state in STATES}
        wanted = lookup.in_states(connection, named, states)
    others = ", ".join(f"{len(found)} {state}" for state, found in runs.items() if found and state not in states)
    return wanted, others or "no such run is in the last plan"


def _to_evaluate(store: Path, words: Sequence[str]) -> list[str]:
    """Return the ids of the runs that are done and that a launcher evaluates anew; of those named, if any are."""
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        return lookup.to_evaluate(connection, lookup.ids(connection, words) if words else None)


def _ids(store: Path, words: Sequence[str]) -> list[str]:
    from scalectl.orchestrator.store import runs as lookup
    from scalectl.orchestrator.store.database import reading

    with reading(store) as connection:
        return lookup.ids(connection, words, imported=True)


def _held(store: Path) -> "Records":
    """Return a store, which has to be there, held for writing."""
    from scalectl.orchestrator.store.records import Records

    return Records(store)
