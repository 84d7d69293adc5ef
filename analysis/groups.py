"""One law for each model, or for each data size: sample efficiency, and what bounds the error."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scalectl.analysis.checks import Refused, checked
from scalectl.analysis.fitting import fit
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, METRIC
from scalectl.analysis.sample import DRAWS, Manner
from scalectl.analysis.values import rms
from scalectl.analysis.vocabulary import CORRELATION, FRONTIER, SEEDS


@dataclass(frozen=True, eq=False, repr=False)
class FittedGroups(Report):
    """The law of each group of runs, or why it has none; smallest models or sizes first."""

    metric: str
    x: str
    per: str
    groups: dict[str, Fitted | Refused]

    @property
    def laws(self) -> dict[str, Fitted]:
        """The groups that have a law."""
        return {name: law for name, law in self.groups.items() if isinstance(law, Fitted)}

    @property
    def refused(self) -> dict[str, Refused]:
        """The groups that have none."""
        return {name: refused for name, refused in self.groups.items() if isinstance(refused, Refused)}

    def __str__(self) -> str:
        return "\n".join([f"{self.metric} vs {self.x} by {self.per}", "", *self._lines()])

    def _repr_html_(self) -> str:
        rows = ((name, *_row(law)) for name, law in self.laws.items())
        notes = (f"{name}: {refused}" for name, refused in self.refused.items())
        header = (self.per, "frontier", "residual (log)", "law")
        return html_table(f"{self.metric} vs {self.x} by {self.per}", header, rows, notes)

    def _lines(self) -> Iterator[str]:
        if not self.groups:
            yield "  no run tells it"
            return
        width = max(map(len, self.groups))
        for name, law in self.groups.items():
            if isinstance(law, Refused):
                yield f"  {name:<{width}}   {law}"
            else:
                points, residual, formula = _row(law)
                yield f"  {name:<{width}}   {points:>15}   {residual}   {formula}"


def _row(law: Fitted) -> tuple[str, str, str]:
    return f"{len(law.frontier)} of {law.counts.used} runs", f"{rms(law.residuals):.2g} rms", str(law.law)


def fit_each(
    points: pd.DataFrame,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    per: str,
    law: str | None = None,
    runs: str = FRONTIER,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
    draws: int = DRAWS,
    seed: int = 0,
) -> FittedGroups:
    """The law of each group of runs, a group for each value of the column `per`; the other options are those of `fit`.

    Raises Refused for columns that are missing; a group that can't carry a law is among the result's `refused`.
    """
    order = ["data_size"]
    if per == "model":
        order = ["params", "model"]
    points = checked(points, [per, *order])
    options: dict[str, Any] = {"law": law, "runs": runs, "seeds": seeds, "correlation": correlation}
    options |= {"draws": draws, "seed": seed}
    Manner(**options)  # a word that is wrong is no group's reason
    groups: dict[str, Fitted | Refused] = {}
    for value in points.sort_values(order)[per].dropna().unique():
        group, name = points[points[per] == value], _name(value)
        one_model = group["model"].nunique() == 1
        try:
            groups[name] = fit(group, metric, x, one_model=one_model, **options)
        except Refused as refused:
            groups[name] = refused
    return FittedGroups(metric, x, per, groups)


def _name(value: object) -> str:
    """The name of a group; a whole number has one, also where other runs lack it and all are floats therefore."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
