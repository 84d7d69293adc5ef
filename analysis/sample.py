"""The runs of one metric over one column as laws need them: their cells, those that are fitted, and families' fits.

Letters of shapes: B fits, N points, P parameters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scalectl.analysis.averaging import Member, weights
from scalectl.analysis.bootstrap import Drawn, redrawn
from scalectl.analysis.checks import Refused, whole
from scalectl.analysis.enough import enough, several_models
from scalectl.analysis.law import LADDER, Family, Floats, Law, family
from scalectl.analysis.lengths import Lines
from scalectl.analysis.noise import averaged, law_too_low, weighed
from scalectl.analysis.runs import cells, front_of, is_best, repeats, trunks
from scalectl.analysis.scales import Scales, Solved
from scalectl.analysis.vocabulary import CORRELATION, FRONTIER, RUNS, SEEDS

LAW = "doubly-saturating"  # by default
DRAWS = 1000
_FEWEST = 100  # draws of a family beside the law


@dataclass(frozen=True)
class Manner:
    """How a law is fitted: the options of `fit` beside the runs, the metric and the column; raises Refused for a word
    or number that can't be.
    """

    law: str | None = None
    runs: str = FRONTIER
    seeds: str = SEEDS[0]
    correlation: float = CORRELATION
    one_model: bool = False
    draws: int = DRAWS
    seed: int = 0

    def __post_init__(self) -> None:
        family(self.law or LAW)
        for name, words in (("runs", RUNS), ("seeds", SEEDS)):
            if getattr(self, name) not in words:
                raise Refused(f"{name} = {getattr(self, name)!r}: give {' or '.join(words)}.")
        if not (isinstance(self.correlation, Real) and 0 <= self.correlation <= 1):
            raise Refused(f"correlation = {self.correlation!r}: give a number from 0 to 1.")
        whole("draws", self.draws)
        whole("seed", self.seed)

    @property
    def family(self) -> Family:
        """The family of the law."""
        return family(self.law or LAW)


def points_of(cells: pd.DataFrame, metric: str, which: str) -> pd.DataFrame:
    """The points that a law is fitted to: the frontier of the cells, or all of them."""
    if which == FRONTIER:
        return front_of(cells, metric)
    return cells.reset_index(drop=True)


def averaged_cells(runs: pd.DataFrame, metric: str, x: str, seeds: str, held: ArrayLike = False) -> pd.DataFrame:
    """A row for each cell, or for each run; those that are `held` out have cells of their own."""
    together = np.arange(len(runs))
    if seeds == SEEDS[0]:
        together = 2 * cells(runs, x) + np.asarray(held, int)
    return averaged(runs, metric, x, together)


@dataclass(frozen=True, eq=False)
class Sample:
    """The cells of some runs, those that a law is fitted to, and how they are drawn again.

    Laws of several families may share one: the fit and the draws of each family are found once.
    """

    runs: pd.DataFrame
    cells: pd.DataFrame
    fitted: pd.DataFrame
    metric: str
    x: str
    manner: Manner
    _solved: dict[Family, Solved] = field(default_factory=dict)
    _draws: dict[tuple[Family, int], Floats] = field(default_factory=dict)

    @staticmethod
    def of(runs: pd.DataFrame, metric: str, x: str, manner: Manner) -> "Sample":
        """The sample of runs that `usable` returned."""
        means = averaged_cells(runs, metric, x, manner.seeds)
        by_luck = manner.runs == FRONTIER
        every = weighed(means, metric, x, manner.correlation, manner.seed, by_luck=by_luck)
        return Sample(runs, every, points_of(every, metric, manner.runs), metric, x, manner)

    def check(self, form: Family) -> None:
        """Raise Refused where these runs can't carry a law of this family."""
        enough(self.fitted, self.runs, self.metric, self.x, form, self.manner.runs)
        if self.manner.runs == FRONTIER and not self.manner.one_model:
            several_models(self.fitted, self.metric, self.x)

    @cached_property
    def scales(self) -> Scales:
        """What compute and error are divided by."""
        return Scales.of_points(self.fitted, self.metric, self.x, float(self.manner.runs == FRONTIER))

    @cached_property
    def lines(self) -> Lines:
        """The runs by what they differ in beside length and seed."""
        return Lines(self.runs, self.metric)

    def luck(self, law: Law) -> Floats:
        """How far a law of a frontier may be too low at its points by luck, in log error, where no noise is known."""
        spare, error_N = len(self.fitted) - len(law.values), self.cells[self.metric].to_numpy(float)
        if self.manner.runs != FRONTIER or self.cells["noise_known"].any() or spare < 1 or not error_N.all():
            return np.zeros(len(self.fitted))
        compute_N = self.cells[self.x].to_numpy(float)
        return law_too_low(compute_N, error_N, law(compute_N), spare, self.manner.seed)[is_best(error_N[None])[0]]

    def solutions(self, form: Family) -> list[Solved]:
        """The fits of the laws with fewer parameters than a family, fewest first, and that of the family."""
        return [*map(self._solution, _smaller(form)), self._solution(form)]

    def _solution(self, form: Family) -> Solved:
        if form not in self._solved:
            self._solved[form] = Solved.of(self.scales.problem(self.fitted, self.x, form))
        return self._solved[form]

    def members(self, families: Sequence[Solved], drawn_BP: Floats) -> tuple[Member, ...]:
        """The laws that predictions average: the last with its draws, others with as many as they are worth."""
        members, points = [], families[0].points
        shares = weights([solution.left_one_out for solution in families], points)
        for share, solution in zip(map(float, shares), families, strict=True):
            draws_BP = drawn_BP
            if share and solution is not families[-1]:
                draws_BP = self.draws(solution, min(len(drawn_BP), max(_FEWEST, round(share * len(drawn_BP)))))
            if share:
                members.append(Member(self.scales.law(solution), share, draws_BP, points))
        return tuple(members)

    def draws(self, solution: Solved, number: int) -> Floats:
        """The parameters [B, P] of a family's laws of so many draws of the cells."""
        form = solution.problem.family
        if (form, number) not in self._draws:
            coords_BP = np.empty((0, len(solution.coords)))
            if number:
                problem = self.scales.problem(self.cells, self.x, form)
                coords_BP = redrawn(problem, self._drawn, solution.coords, number, self.manner.seed)
            self._draws[form, number] = self.scales.params(solution.problem, coords_BP)
        return self._draws[form, number]

    @cached_property
    def _drawn(self) -> Drawn:
        measured = self.cells[self.metric].to_numpy(float)
        return Drawn(measured, repeats(self.cells, self.x), trunks(self.cells), self.manner.runs == FRONTIER)


def _smaller(form: Family) -> Iterator[Family]:
    """The laws of the ladder with fewer parameters, fewest first."""
    for smaller in map(family, LADDER):
        if len(smaller.parameters) < len(form.parameters):
            yield smaller
