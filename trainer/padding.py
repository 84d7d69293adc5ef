"""Batches that are shorter than what a program was compiled for."""

from typing import Any

import numpy as np


def some(rows: Any, part: slice) -> np.ndarray:
    """As many rows as `part` is long: those there, and others after them that mean nothing."""
    real: np.ndarray = rows[min(part.start, len(rows) - 1) : part.stop]
    return padded(real, part.stop - part.start)


def padded(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows: those given, and zeros after them; the same array where none is missing."""
    return rows if len(rows) == count else np.pad(rows, [(0, count - len(rows))] + [(0, 0)] * (rows.ndim - 1))
