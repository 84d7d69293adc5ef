"""What callers hand over, checked: tables with columns of numbers, and numbers above 0; or else `Refused`."""

from collections.abc import Collection, Iterable
from operator import index
from reprlib import repr as shortened
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

RUN = ("run", "state", "excluded")  # what every table of runs has


class Refused(ValueError):  # noqa: N818 - an answer, not an error
    """No answer, and why: what the data have, what is needed, and the remedy."""


class NoStore(Refused, FileNotFoundError):  # noqa: N818 - an answer, not an error
    """A store that isn't there."""


def amounts(name: str, numbers: ArrayLike) -> NDArray[np.float64]:
    """Numbers as floats; raises Refused, which names the argument, unless all are finite and above 0."""
    try:
        floats = np.asarray(numbers, float)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{name} = {shortened(numbers)}: give a number that is finite and above 0.") from None
    bad = floats[~(np.isfinite(floats) & (floats > 0))]
    if bad.size:
        raise Refused(f"{name} = {bad[0]:g}: give a number that is finite and above 0.")
    return floats


def amount(name: str, number: Any) -> float:
    """One number as a float; raises Refused, which names the argument, unless it is finite and above 0."""
    floats = amounts(name, number)
    if floats.ndim:
        raise Refused(f"{name} = {shortened(number)}: give one number.")
    return float(floats)


def whole(name: str, number: Any, least: int = 0) -> int:
    """A whole number; raises Refused, which names the argument, for what is none or below the least."""
    try:
        count = index(number)
    except TypeError:
        raise Refused(f"{name} = {shortened(number)}: give a whole number, {least} or more.") from None
    if count < least:
        raise Refused(f"{name} = {count}: give a whole number, {least} or more.")
    return count


def a_table(table: object) -> None:
    """Raise Refused for what is no table."""
    if not isinstance(table, pd.DataFrame):
        raise Refused(
            f"{shortened(table)} is no table of runs: give what scalectl.read returns, or a DataFrame like it."
        )


def checked(table: pd.DataFrame, columns: Collection[str], numbers: Collection[str] = ()) -> pd.DataFrame:
    """The table with rows numbered from 0 and `numbers` as columns of numbers.

    Raises Refused, which names all of `columns` and `numbers` that it lacks, or the first value that is no number.
    """
    a_table(table)
    if missing := [name for name in dict.fromkeys(map(str, [*columns, *numbers])) if name not in table]:
        raise Refused(f"the table has no column {', '.join(missing)}; it has {', '.join(map(str, table)) or 'none'}.")
    if twice := dict.fromkeys(map(str, table.columns[table.columns.duplicated()])):
        raise Refused(f"the table has the column {', '.join(twice)} more than once: keep one of that name.")
    table = table.reset_index(drop=True)
    if "excluded" in columns:
        table = table.assign(excluded=excluded(table))
    return table.assign(**{name: _numbers(table[name]) for name in numbers})


def excluded(table: pd.DataFrame) -> pd.Series:
    """Which runs are excluded; one of which that isn't told is not."""
    return pd.Series(np.where(table["excluded"].isna(), False, table["excluded"]).astype(bool), table.index)


def ids(name: str, runs: Iterable[str]) -> list[str]:
    """Ids of runs as a list, whatever holds them; raises Refused, which names the argument, for a single text."""
    if isinstance(runs, str):
        raise Refused(f"{name} = {runs!r}: give a list of ids of runs.")
    return list(runs)


def known_runs(name: str, runs: Collection[str], points: pd.DataFrame) -> None:
    """Raise Refused, which names the argument, for runs that aren't ids of the table."""
    if runs and (unknown := sorted(map(str, set(runs).difference(points["run"])))):
        raise Refused(f"{name}: the table has no run {', '.join(unknown[:3])}; its column run has the ids.")


def above_0(runs: pd.DataFrame, columns: Collection[str]) -> None:
    """Raise Refused for the first run with a number in `columns` that is not finite and above 0."""
    for name in columns:
        number = runs[name].to_numpy(float)
        if (bad := ~(np.isfinite(number) & (number > 0))).any():
            row = runs[bad].iloc[0]
            raise Refused(f"run {row['run']} has {name} = {row[name]:g}: it is finite and above 0. Leave the run out.")


def _numbers(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna()]
    if len(wrong):
        raise Refused(f"column {column.name} has {shortened(wrong.iloc[0])}, which is no number.")
    return pd.Series(numbers.to_numpy(float, na_value=np.nan), column.index)
