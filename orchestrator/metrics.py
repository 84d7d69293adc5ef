"""Metrics by their names: which of them rise as models get better, and by which one a study is compared."""

import re
from collections.abc import Iterable, Sequence

from scalectl.analysis.vocabulary import is_accuracy

MAIN = "upstream/error"
_MAIN = (MAIN, "upstream/loss")
_FALLING = re.compile(r"err|loss", re.IGNORECASE)


def main_metric(names: Sequence[str]) -> str:
    """The metric to compare runs by: the upstream error or loss, or the first that falls, or the first of all."""
    falling = [name for name in names if _FALLING.search(name)]
    others = [name for name in names if not is_accuracy(name)]
    return [*(name for name in _MAIN if name in names), *falling, *others, *names, MAIN][0]


def best_value(metric: str, values: Iterable[float]) -> float | None:
    """The highest of accuracies, or the lowest of values of another metric; None of none."""
    if is_accuracy(metric):
        return max(values, default=None)
    return min(values, default=None)
