"""The verb prune: a study without the runs that its file no longer has, and without checkpoints that nobody needs."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import experiment_of, overrides, quiet_option, say, yaml_file
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import command, counted, size, table

if TYPE_CHECKING:
    from scalectl.orchestrator.store.pruning import Pruning, Surplus

SHOWN = 40  # rows of a table


@click.command()
@yaml_file
@overrides
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Remove it without asking.")
@quiet_option
def prune(file: Path, changes: Sequence[str], dry_run: bool, yes: bool) -> Exit:
    """Take out runs that FILE lacks, and remove unused checkpoints.

    No measurement is removed: runs that leave the study keep their rows in the store. A launch of a file that has them
    puts them back, and trains nothing that was measured.
    """
    from scalectl.orchestrator.launch import pruning

    experiment = experiment_of(file, changes)
    if dry_run:
        surplus = pruning.surplus(experiment)
        following = command("prune", file, changes=changes)
        if not surplus:
            following = command("status", store=experiment.store)
        click.echo(text(surplus, file.name))
        click.echo(f"\nNothing was removed. Next: {following}")
        return Exit.DONE
    found, kept = pruning.prune(experiment, partial(_agree, name=file.name, yes=yes))
    if not found:
        say(text(found, file.name))
        return Exit.DONE
    for line in kept:
        click.echo(f"not removed: {line}", err=True)
    removed = counted(len(found.checkpoints) - len(kept), "checkpoint")
    say(
        f"{counted(len(found.runs), 'run')} left the study, {removed} removed."
        f" Next: {command('status', store=experiment.store)}"
    )
    if kept:
        return Exit.FAILED
    return Exit.DONE


def _agree(found: "Pruning", *, name: str, yes: bool) -> bool:
    """Whether what was found may be removed; raises Refusal where there is nobody to ask."""
    if yes:
        say(f"{text(found, name)}\n", err=True)
        return True
    click.echo(f"{text(found, name)}\n", err=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal("refused: there is no terminal to ask on: give --yes to remove this, or --dry-run to look.")
    return click.confirm("Remove this?", err=True)


def text(found: "Pruning", name: str) -> str:
    """The runs that would leave the study of the file of that name and the checkpoints that would go, with sizes."""
    if not found:
        return f"{found.study} has no run that {name} lacks, and no checkpoint that nobody needs."
    parts = [f"{found.study} · {counted(len(found.runs), 'run')} to leave the study; measurements stay in the store"]
    if found.runs:
        rows = [(run.name, run.id, str(run.state)) for run in found.runs]
        parts.append(_cut(("RUN", "ID", "STATE"), rows, left=3))
    parts.append(f"{counted(len(found.checkpoints), 'checkpoint')} to remove, {size(found.size)}")
    if found.checkpoints:
        groups: defaultdict[tuple[str, str], list[Surplus]] = defaultdict(list)
        for checkpoint in found.checkpoints:
            groups[checkpoint.name, checkpoint.reason].append(checkpoint)
        lines = [
            (*group, str(len(items)), size(sum(checkpoint.size for checkpoint in items)))
            for group, items in groups.items()
        ]
        parts.append(_cut(("OF", "WHY", "NUMBER", "SIZE"), lines, left=2))
    return "\n\n".join(parts)


def _cut(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A table of the first rows, and the number of the others."""
    lines = table(header, rows[:SHOWN], left)
    if len(rows) > SHOWN:
        lines += f"\n  ... and {counted(len(rows) - SHOWN, 'more row')}"
    return lines
