"""An export as tables: points, curves and measurements, a file each."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from scalectl.analysis.documents import records
from scalectl.orchestrator.export.content import Content

PART = 10_000  # rows that are in memory as text
_FILE = re.compile(r"(points|curves|measurements)\.(csv|parquet|jsonl)")


def ours(name: str) -> bool:
    """Whether an export of tables has a file of this name."""
    return bool(_FILE.fullmatch(name))


def write_csv(content: Content, folder: Path) -> None:
    """Write CSV files, numbers with all of their digits and empty cells for what isn't known."""
    _write(content, folder, "csv", lambda table, file: table.to_csv(file, index=False))


def write_parquet(content: Content, folder: Path) -> None:
    """Write Parquet files, with nulls for what isn't known."""
    _write(content, folder, "parquet", lambda table, file: table.to_parquet(file, index=False))


def write_jsonl(content: Content, folder: Path) -> None:
    """Write an object a line, numbers with all of their digits and null for what isn't known."""
    _write(content, folder, "jsonl", _jsonl)


def _jsonl(table: pd.DataFrame, file: Path) -> None:
    """Not by pandas: to_json rounds numbers to 15 decimal places, so that small ones lose digits."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with file.open("w", encoding="utf-8") as lines:
        for start in range(0, len(table), PART):
            lines.writelines(f"{encode(row)}\n" for row in records(table.iloc[start : start + PART]))


def _write(content: Content, folder: Path, suffix: str, write: Callable[[pd.DataFrame, Path], None]) -> None:
    for name, table in content.tables().items():
        write(table, folder / f"{name}.{suffix}")
