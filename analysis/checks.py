"""What callers hand over, checked: tables with columns of numbers, and amounts above 0."""

from collections.abc import Collection
from reprlib import repr as shortened

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.refusal import Refused

RUN = ("run", "state", "excluded")  # what every table of runs has


def amounts(name: str, given: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as floats; raises Refused, which names the argument, unless all are finite and above 0."""
    try:
        found = np.asarray(given, float)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{name} = {shortened(given)}: give a number that is finite and above 0.") from None
    bad = found[~(np.isfinite(found) & (found > 0))]
    if bad.size:
        raise Refused(f"{name} = {bad[0]:g}: give a number that is finite and above 0.")
    return found


def checked(given: pd.DataFrame, columns: Collection[str], numbers: Collection[str] = ()) -> pd.DataFrame:
    """Return a table with rows numbered from 0 and `numbers` as columns of numbers.

    Raises Refused, which names all of `columns` and `numbers` that it lacks, or the first value that is no number.
    """
    if missing := [name for name in dict.fromkeys([*columns, *numbers]) if name not in given]:
        raise Refused(f"the table has no column {', '.join(missing)}; it has {', '.join(map(str, given)) or 'none'}.")
    found = given.reset_index(drop=True)
    return found.assign(**{name: _numbers(found[name]) for name in numbers})


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
    found = pd.to_numeric(column, errors="coerce")
    wrong = column[found.isna() & column.notna()]
    if len(wrong):
        raise Refused(f"column {column.name} has {shortened(wrong.iloc[0])}, which is no number.")
    return pd.Series(found.to_numpy(float, na_value=np.nan), column.index)
