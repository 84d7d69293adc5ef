"""The verbs that steer runs: stop, retry, exclude and include."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import quiet_option, run_argument, runs_argument, say, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.records import Records


def _check_named(words: Sequence[str], every: bool, flag: str) -> None:
    if bool(words) == every:
        raise click.UsageError(f"name runs, or give {flag}.")


def chosen(
    store: Path, words: Sequence[str], every: bool, flag: str, states: Sequence[RunState]
) -> tuple[list[str], str]:
    """The ids of the runs that are named, or with the flag of all, in one of the states; and what the others are."""
    _check_named(words, every, flag)
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


def known(store: Path, word: str) -> tuple[str, str, str]:
    """The id and the name of the run that a word names, an imported one too, and the command that fits its study.

    Raises NotFound for a word that names none or several.
    """
    from scalectl.orchestrator.cli.show import fit_command
    from scalectl.orchestrator.store.reading import Store

    details = Store(store).run(word)
    return details.run["id"], details.run["name"], fit_command(details, store)


def held(store: Path) -> "Records":
    """A store, which has to be there, held for writing."""
    from scalectl.orchestrator.store.records import Records

    return Records(store, launches=False)


def again(store: Path) -> str:
    """The command that goes on with what is left of a store."""
    from scalectl.orchestrator.store.reading import Store

    return Store(store).again() or command("launch FILE")


@click.command()
@runs_argument
@click.option("--all", "every", is_flag=True, help="All runs that aren't done.")
@store_option
@quiet_option
def stop(words: Sequence[str], every: bool, store: Path) -> Exit:
    """Stop runs at a checkpoint.

    The next launch goes on with them. A launch that still waits for slots doesn't start them. While no launch is
    running they are only marked as stopped.
    """
    from scalectl.orchestrator.store.begun import has_begun
    from scalectl.orchestrator.store.names import ALL
    from scalectl.orchestrator.store.reading import Store
    from scalectl.orchestrator.store.requests import ask_to_stop

    _check_named(words, every, "--all")
    launcher = Store(store).launcher()
    if launcher and not has_begun(store, launcher):  # its runs may be new to the store
        ask_to_stop(store, words or [ALL])
        runs = " and ".join(words) or "all its runs"
        say(f"Asked {launcher}, to stop {runs}. It hasn't begun: what it stops isn't started.")
        if words:
            say("It passes over a word that names none of its runs, or several.")
        say(f"Next: {command('status --watch', store=store)}")
        return Exit.DONE
    wanted, remark = chosen(store, words, every, "--all", (RunState.PLANNED, RunState.RUNNING))
    if launcher:
        wanted += to_evaluate(store, words)
    if not wanted:
        say(f"There is nothing to stop: {remark}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    if launcher:
        ask_to_stop(store, wanted)
        say(f"Asked {launcher}, to stop {counted(len(wanted), 'run')}; those that train leave a checkpoint first.")
        say(f"Next: {command('status --watch', store=store)}")
        return Exit.DONE
    with held(store) as records:
        records.settle(wanted, RunState.STOPPED, reason="asked to stop")
    say(f"No launch is running on {store}; {counted(len(wanted), 'run')} stopped. Next: {again(store)}")
    return Exit.DONE


@click.command()
@runs_argument
@click.option("--failed", is_flag=True, help="All failed runs; name diverged ones one by one.")
@store_option
@quiet_option
def retry(words: Sequence[str], failed: bool, store: Path) -> Exit:
    """Let the next launch retry runs that failed or diverged."""
    states = [RunState.FAILED]
    if words:
        states.append(RunState.DIVERGED)
    wanted, remark = chosen(store, words, failed, "--failed", states)
    if not wanted:
        say(f"There is nothing to retry: {remark}. Next: {command('status --runs', store=store)}")
        return Exit.DONE
    with held(store) as records:
        records.settle(wanted, RunState.PLANNED, reason="asked to retry")
    say(f"{counted(len(wanted), 'run')} planned again. Next: {again(store)}")
    return Exit.DONE


@click.command()
@run_argument
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the store.")
@store_option
@quiet_option
def exclude(run: str, reason: str, store: Path) -> Exit:
    """Leave a run out of fits; its numbers stay.

    RUN is a name, an id, or the beginning of either.
    """
    if not reason.strip():
        raise click.BadParameter("say why: fits leave the run out for this reason.", param_hint="--reason")
    run_id, name, following = known(store, run)
    with held(store) as records:
        records.exclude(run_id, reason)
    say(f"{name} is left out of fits. Next: {following}")
    return Exit.DONE


@click.command()
@run_argument
@store_option
@quiet_option
def include(run: str, store: Path) -> Exit:
    """Undo exclude.

    RUN is a name, an id, or the beginning of either.
    """
    run_id, name, following = known(store, run)
    with held(store) as records:
        records.include(run_id)
    say(f"{name} is fitted again. Next: {following}")
    return Exit.DONE
