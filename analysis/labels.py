"""What imported runs have beside their settings: the columns of text and of truth values of their files."""

import json
from typing import TYPE_CHECKING, Any

from scalectl.analysis.vocabulary import are_settings

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from sqlalchemy import Connection

_LABELS = "SELECT id, labels FROM imports WHERE labels NOT IN ('', '{}') ORDER BY number"


def with_labels(points: "DataFrame", connection: "Connection", roles: dict[str, str]) -> "DataFrame":
    """The points with the columns of text, truth values and numbers that imported runs have beside their settings.

    To runs these are settings, too, but for names of each: `roles`, where a store tells some, gets them as such. They
    stand before `digest`, as metrics stand behind it also in a file that says nothing else.
    """
    from sqlalchemy import inspect

    inspector = inspect(connection)
    known = inspector.has_table("imports") and {column["name"] for column in inspector.get_columns("imports")}
    if not known or "labels" not in known:
        return points
    labels = {run: _labels(run, text) for run, text in connection.exec_driver_sql(_LABELS)}
    columns: dict[str, Series[Any]] = {}
    for label in dict.fromkeys(label for cells in labels.values() for label in cells):
        name = label
        if name in points:
            name = f"file_{label}"
        values = points["run"].map({run: cells[label] for run, cells in labels.items() if label in cells})
        kinds = {type(value) for value in values.dropna()}
        if kinds <= {bool}:
            values = values.astype("boolean")
        elif len(kinds) > 1:  # true in one run and maybe in another: a column is of one kind
            values = values.map(str, na_action="ignore")
        columns[name] = values
        studies = values.dropna().groupby(points["study"], sort=False)
        if roles and any(are_settings(words.tolist()) for _, words in studies):
            roles[name] = "trunk"
    names = list(points)
    place = names.index("digest") if "digest" in names else len(names)
    return points.assign(**columns)[[*names[:place], *columns, *names[place:]]]


def _labels(run: str, text: str) -> dict[str, Any]:
    from scalectl.analysis.checks import Refused

    try:
        labels = json.loads(text)
    except (ValueError, TypeError):
        labels = None
    if not isinstance(labels, dict):
        raise Refused(f"the labels of the imported run {run} are no JSON object: another program changed the store.")
    return labels
