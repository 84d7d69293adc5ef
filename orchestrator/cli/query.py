"""The verb query: SQL over the store, as a table for people or for other programs."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.forms import print_rows, require_names, write_parquet
from scalectl.orchestrator.cli.options import store_option
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit


@click.command()
@click.argument("sql", metavar="SQL")
@store_option
@rows_options("parquet")
def query(sql: str, store: Path, view: View) -> Exit:
    """Print the rows of an SQL query over the store.

    It reads and changes nothing. docs/results.md lists the tables and views. Numbers have four digits in tables for
    people (table, md), and all of them in the other forms. Write Parquet to a file: -o parquet > FILE.
    """
    from scalectl.orchestrator.store.sql import asked

    with asked(store, sql) as answer:
        columns, rows = list(answer.columns), answer.rows
        if view.is_chosen:
            require_names(columns)
            records = [dict(zip(columns, row, strict=True)) for row in rows]
            columns, rows = view.chosen(Rows(records, columns))
        if view.form == "parquet":
            write_parquet(columns, rows)
        else:
            print_rows(view.form, columns, rows)
    return Exit.DONE
