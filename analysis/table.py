"""A table of runs with what its laws share, each worked out once."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from scalectl.analysis.checks import RUN, checked
from scalectl.analysis.runs import among, usable, without
from scalectl.analysis.sample import Manner, Sample

T = TypeVar("T")


class Table:
    """Runs, which must not change meanwhile, and the samples of them that laws of several families share."""

    def __init__(self, points: pd.DataFrame) -> None:
        self.points = points
        self._found: dict[Hashable, Any] = {}

    @staticmethod
    def of(points: "pd.DataFrame | Table") -> "Table":
        """The table of these runs, or the one that there is."""
        if isinstance(points, Table):
            return points
        return Table(points)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The runs with rows numbered from 0; raises Refused without the columns that every table of runs has."""
        return checked(self.points, RUN)

    def usable(self, metric: str, x: str) -> pd.DataFrame:
        """The runs that count, in order; raises what `usable` raises."""
        return self._once(("usable", str(metric), str(x)), lambda: usable(self.points, metric, x))

    def without(self, hold_out: Collection[str]) -> "Table":
        """The runs that are not held out; raises Refused where all that are done are."""
        if not hold_out:
            return self
        return self._once(frozenset(hold_out), lambda: Table(without(self.rows, hold_out).reset_index(drop=True)))

    def up_to(self, most: float, metric: str, x: str) -> "Table":
        """The runs that count and have at most so much compute."""
        return self._within(0.0, most, metric, x)

    def beyond(self, least: float, metric: str, x: str) -> "Table":
        """The runs that count and have at least so much compute."""
        return self._within(least, np.inf, metric, x)

    def _within(self, least: float, most: float, metric: str, x: str) -> "Table":
        runs = self.usable(metric, x)
        chosen = among(self.rows["run"], runs["run"][runs[x].between(least, most)].tolist())
        return self._once((least, most, metric, x), lambda: Table(self.rows[chosen].reset_index(drop=True)))

    def sample(self, metric: str, x: str, manner: Manner) -> Sample:
        """The sample of the runs that count, which is the same for laws of all families and for any number of draws."""
        shared = replace(manner, law=None, draws=0)
        return self._once((str(metric), str(x), shared), lambda: Sample.of(self.usable(metric, x), metric, x, shared))

    def _once(self, key: Hashable, find: Callable[[], T]) -> T:
        if key not in self._found:
            self._found[key] = find()
        found: T = self._found[key]
        return found
