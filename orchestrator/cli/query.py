"""The verb query: SQL over the store, as a table for people or for other programs."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import one_line, table

if TYPE_CHECKING:
    from scalectl.orchestrator.store.sql import Rows


@click.command()
@click.argument("sql", metavar="SQL")
@store_option
@output("table", "csv", "json", "jsonl", "md")
def query(sql: str, store: Path, form: str) -> Exit:
    """Print the rows of an SQL query over the store.

    It reads and changes nothing. docs/results.md lists the tables and views. Numbers have four digits in tables for
    people (table, md), and all of them in the other forms.
    """
    from scalectl.orchestrator.store.sql import asked

    with asked(store, sql) as rows:
        for line in FORMS[form](rows):
            click.echo(line)
    return Exit.DONE


def _table(rows: "Rows") -> Iterator[str]:
    yield table(rows.columns, [tuple(map(_shown, row)) for row in rows.rows], left=len(rows.columns))


def _csv(rows: "Rows") -> Iterator[str]:
    for row in (rows.columns, *_plain(rows.rows)):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield line.getvalue()


def _json(rows: "Rows") -> Iterator[str]:
    yield json.dumps([dict(zip(rows.columns, row, strict=True)) for row in _plain(rows.rows)], indent=1)


def _jsonl(rows: "Rows") -> Iterator[str]:
    for row in _plain(rows.rows):
        yield json.dumps(dict(zip(rows.columns, row, strict=True)))


def _md(rows: "Rows") -> Iterator[str]:
    yield _md_line(rows.columns)
    yield _md_line(["---"] * len(rows.columns))
    for row in rows.rows:
        yield _md_line([_shown(cell) for cell in row])


def _md_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(one_line(cell).replace('|', chr(92) + '|') for cell in cells)} |"


FORMS: dict[str, Callable[["Rows"], Iterator[str]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "md": _md,
}


def _shown(cell: Any) -> str:
    """A cell as people read it."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return str(cell)


def _plain(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows without bytes, which neither CSV nor JSON can hold: they become hexadecimal digits."""
    for row in rows:
        yield tuple(cell.hex() if isinstance(cell, bytes) else cell for cell in row)
