"""A law estimated from a table of runs as they are, without a look at how such laws did before; `fitting` has that.

Letters of shapes: B fits, N points, P parameters.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scalectl.analysis.averaging import Average, Member, weights
from scalectl.analysis.bootstrap import Drawn, around, around_log, redrawn, widening
from scalectl.analysis.checks import RUN, Refused, checked, known_runs, whole
from scalectl.analysis.enough import SPARE, enough, several_models
from scalectl.analysis.law import LADDER, Family, Floats, Law, family
from scalectl.analysis.measured import measured_apart
from scalectl.analysis.noise import averaged, too_low, typical_images, weighed
from scalectl.analysis.report import Counts, Fitted, HeldOut, Simpler
from scalectl.analysis.runs import cells, front_of, is_best, known_column, repeats, trunks, usable, without
from scalectl.analysis.scales import Scales, Solved
from scalectl.analysis.vocabulary import CORRELATION, FRONTIER, RUNS, SEEDS
from scalectl.analysis.warnings import averaged_settings, warnings

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


def estimated(
    points: pd.DataFrame, metric: str, x: str, hold_out: Collection[str], manner: Manner, stretch: float = 1.0
) -> Fitted:
    """The law of `points` over the column `x`, without the runs whose ids are in `hold_out`; those are predicted.

    Intervals are `stretch` times as wide as the runs alone have them. Raises what `fit` raises.
    """
    known_column(x)
    needed = [*RUN, x, "model"]
    if hold_out:
        needed.append("name")
    points = checked(points, needed)
    known_runs("hold_out", hold_out, points)
    kept = without(points, hold_out)
    runs = usable(kept, metric, x)
    study = _Study.of(runs, metric, x, manner)
    *simpler, solved = study.solutions()
    families = [solved]
    if manner.law is None:
        families = [*simpler, solved]
    law, ends, drawn_BP = study.scales.law(solved), study.scales.ends(solved.problem), study.draws(solved, manner.draws)
    members = study.members(families, drawn_BP)
    fitted = Fitted(
        metric=metric,
        x=x,
        runs=manner.runs,
        largest=float(runs[x].max()),
        law=law,
        intervals=_intervals(law, drawn_BP, stretch * widening(len(study.fitted), len(law.values)), ends),
        frontier=study.fitted,
        counts=_counts(points, kept, runs),
        draws=drawn_BP,
        delta=solved.problem.delta * study.scales.error,
        left_one_out=solved.left_one_out,
        simpler=tuple(Simpler(study.scales.law(solution), _aicc_gain(solution, solved)) for solution in simpler),
        average=Average(members, typical_images(study.cells, metric), manner.correlation, stretch),
        held_out=(),
    )
    held_out, luck = _held_out(points, fitted, hold_out, manner), study.luck(fitted.residuals)
    fitted = replace(fitted, held_out=held_out, luck=luck)
    doubts = [*warnings(fitted, runs, manner.draws, ends), *measured_apart(runs, metric)]
    if manner.seeds == SEEDS[0]:
        doubts += averaged_settings(runs, cells(runs, x), metric)
    return replace(fitted, warnings=tuple(doubts))


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
class _Study:
    """The cells of a study, those that a law is fitted to, and how they are drawn again."""

    cells: pd.DataFrame
    fitted: pd.DataFrame
    metric: str
    x: str
    manner: Manner
    scales: Scales

    @staticmethod
    def of(runs: pd.DataFrame, metric: str, x: str, manner: Manner) -> "_Study":
        """The study of these runs; raises Refused where they can't carry the law."""
        by_luck = manner.runs == FRONTIER
        means = averaged_cells(runs, metric, x, manner.seeds)
        every = weighed(means, metric, manner.correlation, manner.seed, by_luck=by_luck)
        fitted = points_of(every, metric, manner.runs)
        enough(fitted, runs, metric, x, manner.family, manner.runs)
        if by_luck and not manner.one_model:
            several_models(fitted, metric, x)
        return _Study(every, fitted, metric, x, manner, Scales.of_points(fitted, metric, x, float(by_luck)))

    def luck(self, residuals: Floats) -> Floats:
        """How far the points of a frontier may lie below the law by luck, in log error, where no noise is known.

        The noise is then taken for that of the points around the law.
        """
        spare, error_N = len(residuals) - len(self.manner.family.parameters), self.cells[self.metric].to_numpy(float)
        if self.manner.runs != FRONTIER or self.cells["noise_known"].any() or spare < 1 or not error_N.all():
            return np.zeros(len(self.fitted))
        noise = 1.48 * float(np.median(np.abs(residuals))) * np.sqrt(len(residuals) / spare)
        low_N = too_low(error_N, noise * error_N, self.manner.seed)
        return np.log1p(low_N / np.minimum.accumulate(error_N))[is_best(error_N[None])[0]]

    def solutions(self) -> list[Solved]:
        """The fits of the laws with fewer parameters, fewest first, and that of the law."""
        solved = Solved.of(self.scales.problem(self.fitted, self.x, self.manner.family))
        return [*(Solved.of(replace(solved.problem, family=form)) for form in _smaller(self.manner.family)), solved]

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
        coords_BP = np.empty((0, len(solution.coords)))
        if number:
            problem = self.scales.problem(self.cells, self.x, solution.problem.family)
            coords_BP = redrawn(problem, self._drawn, solution.coords, number, self.manner.seed)
        return self.scales.params(solution.problem, coords_BP)

    @cached_property
    def _drawn(self) -> Drawn:
        measured = self.cells[self.metric].to_numpy(float)
        return Drawn(measured, repeats(self.cells, self.x), trunks(self.cells), self.manner.runs == FRONTIER)


def _intervals(
    law: Law, drawn: Floats, wider: float, ends: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """The 90 % interval of each parameter: of those that may be 0 as distances, of others as factors."""
    if not len(drawn):
        return {}
    intervals = {}
    for parameter, estimate, column in zip(law.family.parameters, law.values, drawn.T, strict=True):
        interval_around = around_log
        if parameter.scale.zero:
            interval_around = around
        low, high = interval_around(np.array(estimate), column, wider)
        least, most = ends.get(parameter.name, (0.0, np.inf))
        intervals[parameter.name] = (max(min(float(low), estimate), least), min(max(float(high), estimate), most))
    return intervals


def _counts(points: pd.DataFrame, kept: pd.DataFrame, runs: pd.DataFrame) -> Counts:
    done, diverged = (int((kept["state"] == state).sum()) for state in ("done", "diverged"))
    excluded = int(((kept["state"] == "done") & kept["excluded"]).sum())
    return Counts(len(runs), len(points) - len(kept), excluded, diverged, done - excluded - len(runs))


def _smaller(form: Family) -> Iterator[Family]:
    """The laws of the ladder with fewer parameters, fewest first."""
    for smaller in map(family, LADDER):
        if len(smaller.parameters) < len(form.parameters):
            yield smaller


def _aicc_gain(simpler: Solved, solved: Solved) -> float | None:
    """AICc of the simpler law less that of this one; None where AICc is not defined."""
    if solved.points <= len(solved.problem.family.parameters) + SPARE:
        return None
    return simpler.aicc - solved.aicc


def _held_out(points: pd.DataFrame, fitted: Fitted, hold_out: Collection[str], manner: Manner) -> tuple[HeldOut, ...]:
    """The held-out runs that the law is about; their intervals hold the scatter of points as well."""
    if not points.loc[points["run"].isin(hold_out), fitted.metric].notna().any():
        return ()
    runs = usable(points, fitted.metric, fitted.x)
    held = runs["run"].isin(hold_out)
    means = averaged_cells(runs, fitted.metric, fitted.x, manner.seeds, held)
    would = points_of(means, fitted.metric, manner.runs)
    chosen = would[would["run"].isin(hold_out)]
    if chosen.empty:
        return ()
    compute = chosen[fitted.x].to_numpy(float)
    low, high = fitted.average.around(compute, fitted.residuals, seed=manner.seed)
    columns = (chosen["run"], chosen["name"], compute, fitted(compute), low, high, chosen[fitted.metric])
    return tuple(HeldOut(str(run), str(name), *map(float, row)) for run, name, *row in zip(*columns, strict=True))
