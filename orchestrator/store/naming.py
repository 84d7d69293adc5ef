"""Names of the columns of other people's tables in a store: of metrics and labels, apart from those of `points`."""

import re
from collections.abc import Mapping

from scalectl.orchestrator.store.meanings import COLUMNS, OURS, PREFIX, meaning, without_per_cent

_UNSAID = re.compile(r"[^\w./@-]+")  # what no name in an expression of --where has


def label_name(header: str, taken: Mapping[str, str]) -> str:
    """The name of a label, one that an expression can have."""
    return _apart(_UNSAID.sub("_", PREFIX.sub("", header)).strip("_"), taken)


def metric_name(header: str, taken: Mapping[str, str]) -> str:
    """The name of a metric, without what only says that its numbers are per cent."""
    return _apart(without_per_cent(PREFIX.sub("", header)), taken)


def target(name: str) -> str:
    """The column that a name means, or the metric of that name."""
    named = meaning(name)
    if named:
        return named.column
    return name


def _apart(name: str, taken: Mapping[str, str]) -> str:
    """A name that no column of `points` has; a measured loss is `upstream/loss`, as the loss is a setting there."""
    if name.lower() not in {known.lower() for known in (*COLUMNS, *OURS)}:
        return name
    if name.lower() == "loss" and "upstream/loss" not in taken:
        return "upstream/loss"
    return f"file_{name}"
