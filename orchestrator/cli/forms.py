"""Rows as text: a table for people, CSV, JSON, JSON lines and Markdown; and as a Parquet file for other programs."""

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import click

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import one_line, table

Row = tuple[Any, ...]
_MARKUP, _ESCAPED = re.compile(r"[\\|<&`*\[]"), r"\\\g<0>"  # that would begin something in Markdown, also a picture

_PLAIN_JSON = json.JSONEncoder(allow_nan=False)
_AT_ONCE = 1000  # lines that are written: each writing flushes
_END = "\r\n"  # of a line while it is written: csv quotes a cell that has one of its letters


class Unprintable(Refusal):
    """Rows that a form can't hold."""

    exit = Exit.INVALID


def print_rows(form: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print rows in one of FORMS; raises Unprintable for two columns of one name where that would lose one.

    Without a column nothing is printed, but an empty list as JSON.
    """
    if form.startswith("json"):
        require_names(columns)
    elif not columns:
        return
    lines = FORMS[form](columns, rows)
    while some := list(islice(lines, _AT_ONCE)):
        click.echo("\n".join(some))


def require_names(columns: Sequence[str]) -> None:
    """Raise Unprintable where two columns have one name."""
    for name in columns:
        if columns.count(name) > 1:
            raise Unprintable(f"two columns are named {name!r}: give one of them another name, with AS.")


def _table(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    yield table(columns, [tuple(map(_shown, row)) for row in rows], left=len(columns))


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    for row in chain([columns], (map(_plain, row) for row in rows)):
        line = io.StringIO()
        csv.writer(line, lineterminator=_END).writerow(row)
        yield line.getvalue().removesuffix(_END)


def _json(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a list of objects, each when its row is read: of millions, none is kept."""
    names = [json.dumps(name) for name in columns]
    begin, last = "[\n", ""
    for row in rows:
        if last:
            yield f"{last},"
        cells = ",\n".join(f"  {name}: {_indented(cell)}" for name, cell in zip(names, row, strict=True))
        begin, last = "", f"{begin} {{\n{cells}\n }}"
    yield f"{last}\n]" if last else "[]"


def _indented(cell: Any) -> str:
    """A cell as it stands in an object of a list; plain ones by the encoder that takes a third of the time."""
    if isinstance(cell, dict | list | tuple):
        return json.dumps(_finite(cell), indent=1, allow_nan=False).replace("\n", "\n  ")
    return _PLAIN_JSON.encode(_finite(cell))


def _jsonl(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps({name: _finite(cell) for name, cell in zip(columns, row, strict=True)}, allow_nan=False)


def _md(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    yield _md_line(columns)
    yield _md_line(["---"] * len(columns))
    for row in rows:
        yield _md_line([_shown(cell) for cell in row])


def _md_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_MARKUP.sub(_ESCAPED, one_line(cell)) for cell in cells)} |"


FORMS: dict[str, Callable[[Sequence[str], Iterable[Row]], Iterator[str]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "md": _md,
}


def write_parquet(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as a Parquet file to stdout; raises Unprintable for a terminal, and for columns of mixed types."""
    if sys.stdout.isatty():
        raise Unprintable("Parquet is not text: write it to a file with -o parquet > FILE.")
    import pyarrow
    from pyarrow import parquet

    require_names(columns)
    cells: Iterable[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = {}
    for name, values in zip(columns, cells, strict=True):
        try:
            arrays[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
            raise Unprintable(f"{name}: Parquet has one type a column; this one has several.") from None
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), file)
    sys.stdout.buffer.write(file.getbuffer())
    sys.stdout.buffer.flush()


def _shown(cell: Any) -> str:
    """A cell as people read it."""
    if isinstance(cell, float) and not math.isnan(cell):
        return f"{cell:.4g}"
    return str(_plain(cell))


def _plain(cell: Any) -> Any:
    """A cell of text or CSV: empty for what isn't known, hexadecimal digits for bytes, and lists in one cell."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, list | tuple):
        return ", ".join(str(_plain(part)) for part in cell)
    if isinstance(cell, dict):
        return json.dumps(_finite(cell))
    return cell


def _finite(cell: Any) -> Any:
    """A cell of JSON, which has neither NaN nor infinity nor bytes: null, and hexadecimal digits."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, list | tuple):
        return [_finite(part) for part in cell]
    if isinstance(cell, dict):
        return {name: _finite(part) for name, part in cell.items()}
    return cell
