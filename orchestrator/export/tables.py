"""An export as tables: points, curves and measurements, a file each."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow
from pyarrow import parquet

from scalectl.analysis.documents import records
from scalectl.orchestrator.export.content import Content
from scalectl.orchestrator.export.readings import parts

ROWS = 10_000  # that are in memory as text
_FILE = re.compile(r"(points|curves|measurements)\.(csv|parquet|jsonl)")


def ours(name: str) -> bool:
    """Whether an export of tables has a file of this name."""
    return bool(_FILE.fullmatch(name))


def write_csv(content: Content, folder: Path) -> None:
    """Write CSV files, numbers with all of their digits and empty cells for what isn't known."""
    _write(content, folder, "csv", _csv)


def write_parquet(content: Content, folder: Path) -> None:
    """Write Parquet files, with nulls for what isn't known."""
    _write(content, folder, "parquet", _parquet)


def write_jsonl(content: Content, folder: Path) -> None:
    """Write an object a line, numbers with all of their digits and null for what isn't known."""
    _write(content, folder, "jsonl", _jsonl)


def _csv(table: pd.DataFrame, file: Path) -> None:
    for number, part in enumerate(parts(table)):
        part.to_csv(file, index=False, mode="a", header=number == 0)


def _parquet(table: pd.DataFrame, file: Path) -> None:
    """As pandas writes it, a group of rows for each part, without all of them in memory as text."""
    first = next(parts(table))
    if len(first) == len(table):
        first.to_parquet(file, index=False)
        return
    schema = pyarrow.Schema.from_pandas(first, preserve_index=False)
    with parquet.ParquetWriter(file, schema) as writer:
        for part in parts(table):
            writer.write_table(pyarrow.Table.from_pandas(part, schema, preserve_index=False))


def _jsonl(table: pd.DataFrame, file: Path) -> None:
    """Not by pandas: to_json rounds numbers to 15 decimal places, so that small ones lose digits."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with file.open("w", encoding="utf-8") as lines:
        for part in parts(table):
            for start in range(0, len(part), ROWS):
                lines.writelines(f"{encode(row)}\n" for row in records(part.iloc[start : start + ROWS]))


def _write(content: Content, folder: Path, suffix: str, write: Callable[[pd.DataFrame, Path], None]) -> None:
    for name, table in content.tables().items():
        write(table, folder / f"{name}.{suffix}")
