"""What a shell completes beside verbs and options: names of runs, studies and metrics, from the store."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import click

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import USUAL

MOST = 200  # words at a time; nobody reads more
_PLAIN = re.compile(r"[^\W-][\w@%+=:,./-]*")  # words that a shell reads as they are; it may run others, as $(word)

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _from_store(query: str, column: int = 0, within: str = "") -> Complete:
    """Complete by a column of a query, by the words with `within` in them; by none where the store can't be read.

    In place of a word that a shell would not read as it is, the column after it counts.
    """

    def complete(context: click.Context, parameter: click.Parameter, beginning: str) -> list[str]:
        from scalectl.orchestrator.store.sql import asked

        words: list[str] = []
        with suppress(Refusal), asked(Path(context.params.get("store") or USUAL), query) as answer:
            words = [word for row in answer.rows for word in _plain(row[column : column + 2])]
        return [word for word in words if word.startswith(beginning) and within in word][:MOST]

    return complete


def _plain(cells: Sequence[object]) -> list[str]:
    """The first cell that is a plain word, alone; none where there is none."""
    return [str(cell) for cell in cells if _PLAIN.fullmatch(str(cell))][:1]


run_names = _from_store("SELECT name, run FROM points ORDER BY name")
studies = _from_store("SELECT name FROM studies ORDER BY name")
metrics = _from_store("PRAGMA table_info(points)", column=1, within="/")
