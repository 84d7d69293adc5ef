"""The settings that metrics were measured with: values of different settings belong in no law together."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame
    from sqlalchemy import Connection

MEASURED = "measured"  # what a table of points has of them in its `attrs`

# readings at the ends of runs are looked up: a store may have millions of others; those of upstream have no settings
_ENDS = """
FROM metrics CROSS JOIN runs CROSS JOIN measurements
  ON measurements.run = runs.number AND measurements.metric = metrics.id AND measurements.step = runs.steps
WHERE metrics.name NOT LIKE 'upstream/%' AND measurements.value IS NOT NULL
"""
_MIXED = f"SELECT metrics.name {_ENDS} GROUP BY metrics.id HAVING min(settings) < max(settings)"
_SETTINGS = f"SELECT runs.id, measurements.settings {_ENDS} AND metrics.name = ?"
_UPSTREAM = "upstream/"  # metrics of the images that the study itself holds apart
_TASK = ("source", "num_classes")  # what these images depend on, beside their files
_FILES = ("test_content", "content")  # those of the test split where there is one


class Measured(dict[str, str]):
    """The settings that runs were measured with, by metric and by id; only of metrics that runs differ in.

    To a Parquet file, which pandas writes `attrs` into, it is empty: of 10,000 runs it would be a hundred times the
    rest.
    """

    def __init__(self, by_metric: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__()
        self.by_metric = by_metric

    def __deepcopy__(self, memo: dict[int, Any]) -> "Measured":
        return self  # pandas copies what is in `attrs` with every piece of a table


def measured(connection: "Connection") -> Measured | None:
    """The settings of the metrics of a store that its own runs were not all measured with alike; None without such."""
    names = [row[0] for row in connection.exec_driver_sql(_MIXED)]
    settings = {name: connection.exec_driver_sql(_SETTINGS, (name,)).all() for name in names}
    by_metric = {name: {row[0]: row[1] for row in rows} for name, rows in settings.items()}
    return Measured(by_metric) if by_metric else None


def measured_apart(runs: "DataFrame", metric: str) -> Iterator[str]:
    """Yield doubts where runs were measured on images, or with settings, that others of them were not."""
    yield from _tested_apart(runs, metric)
    by_run = getattr(runs.attrs.get(MEASURED), "by_metric", {}).get(metric, {})
    texts = [by_run[run] for run in runs["run"].tolist() if run in by_run]
    kinds = sorted(set(texts), key=lambda text: (texts.count(text), text))
    if len(kinds) < 2:
        return
    documents = [json.loads(text or "{}") for text in kinds]
    names = sorted({name for document in documents for name in document})
    differing = [name for name in names if len({json.dumps(document.get(name)) for document in documents}) > 1]
    others = len(texts) - texts.count(kinds[-1])
    yield (
        f"{others} of {len(texts)} runs were measured with other settings ({', '.join(differing)}) than the rest:"
        " launch the file that has them all, or leave runs out"
    )


def _tested_apart(runs: "DataFrame", metric: str) -> Iterator[str]:
    """Yield a doubt where runs were tested on images of another source: a study keeps those of its earlier files."""
    if not metric.startswith(_UPSTREAM) or not {*_TASK, *_FILES} <= {*runs.columns}:
        return
    task = runs[list(_TASK)].assign(content=runs[_FILES[0]].where(runs[_FILES[0]] != "", runs[_FILES[1]]))
    task = task.dropna()
    often = task.value_counts()
    if len(often) < 2:
        return
    differing = [name for name in task if task[name].nunique() > 1]
    others = int(often.sum() - often.iloc[0])
    yield (
        f"{others} of {len(task)} runs were tested on other images ({', '.join(differing)}) than the rest:"
        " choose some by --where, or give each data set a study of its own"
    )
