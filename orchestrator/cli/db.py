"""The verbs on the store as a file: db check, backup, upgrade and prune."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import quiet_option, say, store_option
from scalectl.orchestrator.cli.prune import prune
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, one_line

if TYPE_CHECKING:
    from scalectl.orchestrator.store.consistency import Inconsistency


@click.group(cls=Verbs)
def db() -> None:
    """Check, copy, upgrade or prune the store."""


@click.command()
@store_option
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing a measurement.")
@rows_options()
def check(store: Path, repair: bool, view: View) -> Exit:
    """Read all of the store, and name what is damaged or doesn't fit its artifacts.

    Commands that write to a store check its pages by themselves; this one reads its indexes and values too, and looks
    for checkpoints on disk, and for workers and requests of launches that have ended. Exits with 6 for damage, and with
    3 where something else is left to mend.
    """
    from scalectl.orchestrator.store.consistency import inconsistencies
    from scalectl.orchestrator.store.database import check as check_store
    from scalectl.orchestrator.store.database import reading

    check_store(store)
    with reading(store) as connection:
        problems = inconsistencies(connection, store)
    mendable = [problem for problem in problems if problem.remedy]
    if repair and mendable:
        from scalectl.orchestrator.store.records import Records  # which loads all that a file may say

        with Records(store, launches=False) as records:
            records.repair([path for problem in mendable for path in problem.lost])
    left = [problem for problem in problems if not (repair and problem.remedy)]
    found = [_record(problem, repaired=repair and bool(problem.remedy)) for problem in problems]
    view.answer(
        lambda: {"store": str(store), "problems": found},
        lambda: _said(found, store),
        lambda: Rows(found, ("text", "remedy", "repaired")),
    )
    return Exit.WORK_LEFT if left else Exit.DONE


def _record(problem: "Inconsistency", *, repaired: bool) -> dict[str, Any]:
    """What doesn't fit, what mends it, whether `--repair` does, and whether that was done now."""
    remedy = one_line(problem.advice or problem.remedy)
    return {"text": one_line(problem.text), "remedy": remedy, "repairable": bool(problem.remedy), "repaired": repaired}


def _said(records: Sequence[Mapping[str, Any]], store: Path) -> str:
    """All that doesn't fit, for people, with the next command."""
    lines = []
    for record in records:
        lines.append(f"  {record['text']}")
        if record["remedy"]:
            lines.append(f"      {'repaired: ' if record['repaired'] else ''}{record['remedy']}")
    left = [record for record in records if not record["repaired"]]
    if not left:
        return "\n".join([*lines, f"{store} is sound."])
    last = f"{store} is whole; {counted(len(left), 'thing')} left to mend."
    if any(record["repairable"] for record in left):
        last += f" Next: {command('db check --repair', store=store)}"
    return "\n".join([*lines, last])


@click.command()
@store_option
@quiet_option
def upgrade(store: Path) -> Exit:
    """Bring a store of an older version to the one of this program.

    A launch does the same by itself, and commands that only read need no upgrade. Older versions of scalectl don't read
    the store afterwards: copy it before with db backup.
    """
    from scalectl.orchestrator.store.database import version_of
    from scalectl.orchestrator.store.records import Records
    from scalectl.orchestrator.store.upgrading import VERSION

    before = version_of(store)
    if before == VERSION:
        say(f"{store} is of version {VERSION} already.")
        return Exit.DONE
    with Records(store, launches=False):
        pass
    say(f"{store} upgraded from version {before} to {VERSION}.")
    return Exit.DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@store_option
@quiet_option
def backup(file: Path, store: Path) -> Exit:
    """Copy the store to FILE as of this moment, also during a launch."""
    from scalectl.orchestrator.store.database import copy_to

    copy_to(store, file)
    say(f"{store} copied to {file}.")
    return Exit.DONE


db.add("Store", check, backup, upgrade, prune)
