"""The verb query: SQL over the store, as a table for people or for other programs."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.forms import FORMS, print_rows, write_parquet
from scalectl.orchestrator.cli.options import output, store_option
from scalectl.orchestrator.errors import Exit


@click.command()
@click.argument("sql", metavar="SQL")
@store_option
@output(*FORMS, "parquet")
def query(sql: str, store: Path, form: str) -> Exit:
    """Print the rows of an SQL query over the store.

    It reads and changes nothing. docs/results.md lists the tables and views. Numbers have four digits in tables for
    people (table, md), and all of them in the other forms. Write Parquet to a file: -o parquet > FILE.
    """
    from scalectl.orchestrator.store.sql import asked

    with asked(store, sql) as rows:
        if form == "parquet":
            write_parquet(rows.columns, rows.rows)
        else:
            print_rows(form, rows.columns, rows.rows)
    return Exit.DONE
