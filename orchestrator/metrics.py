"""Metrics by their names: which of them rise as models get better, and by which one a study is compared."""

import re
from collections.abc import Iterable, Sequence

MAIN = "upstream/error"
_MAIN = (MAIN, "upstream/loss")
_ACCURATE = re.compile(r"(^|[^a-z])(acc|accuracy|top[-_@ ]?[15]|precision@1)([^a-z]|$)", re.IGNORECASE)
_WRONG = re.compile(r"err", re.IGNORECASE)
_LOSS = re.compile(r"loss", re.IGNORECASE)


def is_accuracy(name: str) -> bool:
    """Whether a metric or a column seems to be an accuracy, so that more is better."""
    return bool(_ACCURATE.search(name)) and not _WRONG.search(name)


def is_share(name: str) -> bool:
    """Whether a metric or a column seems to hold accuracies or errors."""
    return bool(_ACCURATE.search(name) or _WRONG.search(name))


def main_metric(names: Sequence[str]) -> str:
    """The metric to compare runs by: the upstream error or loss, or the first that falls, or the first of all."""
    falling = [name for name in names if _WRONG.search(name) or _LOSS.search(name)]
    others = [name for name in names if not is_accuracy(name)]
    return next(iter([*(name for name in _MAIN if name in names), *falling, *others, *names]), MAIN)


def best_value(metric: str, values: Iterable[float]) -> float | None:
    """The highest of accuracies, or the lowest of values of another metric; None of none."""
    if is_accuracy(metric):
        return max(values, default=None)
    return min(values, default=None)
