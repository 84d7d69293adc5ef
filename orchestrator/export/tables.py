"""An export as tables: points, curves and measurements, a file each."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from scalectl.orchestrator.export.content import Content

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
    """Write an object a line, with null for what isn't known."""
    _write(content, folder, "jsonl", _jsonl)


def _jsonl(table: pd.DataFrame, file: Path) -> None:
    finite = table.replace([np.inf, -np.inf], np.nan)
    finite.to_json(file, orient="records", lines=True, double_precision=15, force_ascii=False, date_format="iso")


def _write(content: Content, folder: Path, suffix: str, write: Callable[[pd.DataFrame, Path], None]) -> None:
    for name, table in content.tables().items():
        write(table, folder / f"{name}.{suffix}")
