"""The runs that can be compared over two settings: those whose other settings are the same at every pair of values."""

from collections.abc import Iterator, Sequence

import pandas as pd

from scalectl.analysis.checks import Refused
from scalectl.analysis.store import of_trunk

_SHAPE = {"model", "width", "depth", "mlp_dim", "num_heads", "patch_size", "params", "flops_per_image"}
_LENGTH = {"steps", "cooldown", "images_seen"}
_FIRST = ("model", "data_size", "steps", "seed")  # settings that people choose runs by


def comparable(runs: pd.DataFrame, rows: str, columns: str) -> pd.DataFrame:
    """The runs of those combinations of other settings that have every pair of values of `rows` and `columns`.

    Raises Refused, with the `--where` that chooses the combination with the most pairs, where none has all.
    """
    others = _others(runs, rows, columns)
    if not others:
        return runs
    pair = runs.groupby([rows, columns]).ngroup()
    combination = runs.groupby(others, dropna=False).ngroup()
    pairs = pair.groupby(combination).nunique()
    if (complete := pairs[pairs == pair.nunique()]).size:
        return runs[combination.isin(complete.index)]
    richest = runs[combination == pairs.idxmax()]
    problem = f"no two runs of other {rows} and {columns} are alike in {', '.join(others[:4])}"
    if pairs.max() > 1:
        problem = (
            f"the best runs of the {pair.nunique()} pairs of {rows} and {columns} differ in other settings as well"
        )
    raise Refused(f"{problem}. {_remedy(runs, richest, others, int(pairs.max()))}")


def _others(runs: pd.DataFrame, rows: str, columns: str) -> list[str]:
    """The other settings that differ, but for those that go with one of the two, as width with params."""
    same = {rows, columns}
    for kind in (_SHAPE, _LENGTH):
        if same & kind:
            same |= kind
    settings = dict.fromkeys([*_FIRST, *of_trunk(runs), *sorted(_LENGTH)])
    return [name for name in settings if name in runs and name not in same and runs[name].nunique(dropna=False) > 1]


def _remedy(runs: pd.DataFrame, chosen: pd.DataFrame, others: Sequence[str], pairs: int) -> str:
    conditions = list(_conditions(runs, chosen, others))
    if pairs < 2 or not conditions:
        return "Compare runs that differ in these two settings alone."
    return f'Choose runs that are alike in these: --where "{" and ".join(conditions)}" has {pairs} pairs.'


def _conditions(runs: pd.DataFrame, chosen: pd.DataFrame, others: Sequence[str]) -> Iterator[str]:
    """Yield what tells the chosen runs from the others, in as few conditions as it takes."""
    for name in others:
        value = chosen[name].iloc[0]
        if pd.isna(value):  # which no condition is true of
            continue
        alike = runs[runs[name] == value]
        if len(alike) < len(runs):
            yield f"{name} == {_word(value)}"
            runs = alike


def _word(value: object) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).removesuffix(".0")
