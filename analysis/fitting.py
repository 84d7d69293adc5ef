"""A law fitted to the frontier of a table of runs; docs/laws.md says how, and why so.

Letters of shapes: B fits, N points, P parameters.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scalectl.analysis.averaging import Average, Member, weights
from scalectl.analysis.bootstrap import around, around_log, redrawn, widening
from scalectl.analysis.checks import RUN, Refused, checked, known_runs
from scalectl.analysis.law import LADDER, Family, Floats, Law, family
from scalectl.analysis.noise import CORRELATION, averaged, typical_images, weighed
from scalectl.analysis.report import Counts, Fitted, HeldOut, Simpler
from scalectl.analysis.runs import COMPUTE, METRIC, cells, front_of, repeats, usable
from scalectl.analysis.scales import Scales, Solved
from scalectl.analysis.solver import Problem
from scalectl.analysis.warnings import DECADES, EXPONENT_NEEDS, decades, warnings

LAW = "doubly-saturating"  # by default
_SIMPLER = ("saturating", "power")  # laws of fewer points
SPARE = 2  # frontier points that a law needs beyond its parameters
RISING = 0.5  # rank correlation with compute above which a metric is taken for one that rises
DRAWS = 1000
_FEWEST = 100  # draws of a family beside the law
SEEDS = ("mean", "each")  # of one cell: averaged, or each a run of its own


def fit(
    points: pd.DataFrame,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    law: str | None = None,
    hold_out: Collection[str] = (),
    one_model: bool = False,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
    draws: int = DRAWS,
    seed: int = 0,
) -> Fitted:
    """The law of the frontier of `points` over the column `x`, without the runs whose ids are in `hold_out`; those are
    predicted.

    A `law` is the family that alone predicts. Without one the law is the doubly saturating one, and predictions are
    averaged over it and the simpler ones. Runs that differ in their seed alone are averaged before the frontier is
    found, or with `seeds` "each" are runs of their own. `correlation` is that of the sampling noise of two runs,
    which are tested on the same images; it matters where the column `test_images` has their number.
    With no `draws` it is quick, and every interval is unknown: `intervals` is empty, ends of bands are NaN.
    Raises Refused for a law without a file in laws/, for columns that are missing, for a metric or values that can't be
    fitted, below two frontier points more than parameters, below a decade of compute, and, unless `one_model` says that
    this is meant, where one model has the whole frontier.
    """
    form = family(law or LAW)
    needed = [*RUN, x, "model"]
    if hold_out:
        needed.append("name")
    points = checked(points, needed)
    kept = _without(points, hold_out)
    runs = usable(kept, metric, x)
    each = weighed(_averaged(runs, metric, x, seeds), metric, correlation, seed)
    front = front_of(each, metric)
    _enough(front, runs, metric, x, form, one_model)
    scales = Scales.of_frontier(front, metric, x)
    solved = Solved.of(scales.problem(front, x, form))
    simpler = [Solved.of(replace(solved.problem, family=smaller)) for smaller in _smaller(form)]
    families = [solved]
    if law is None:
        families = [*simpler, solved]
    drawn = _Redrawn(scales, scales.problem(each, x, form), each[metric].to_numpy(float), repeats(each, x), seed)
    estimate, ends = scales.law(solved), scales.ends(solved.problem)
    drawn_BP = drawn.laws(solved, draws)
    fitted = Fitted(
        metric=metric,
        x=x,
        law=estimate,
        intervals=_intervals(estimate, drawn_BP, len(front), ends),
        frontier=front,
        counts=_counts(points, kept, runs),
        draws=drawn_BP,
        delta=solved.problem.delta * scales.error,
        left_one_out=solved.left_one_out,
        simpler=tuple(Simpler(scales.law(solution), _aicc_gain(solution, solved)) for solution in simpler),
        average=Average(_members(families, scales, drawn_BP, drawn), typical_images(each, metric), correlation),
        held_out=(),
    )
    fitted = replace(fitted, held_out=_held_out(points, fitted, hold_out, seeds, seed))
    return replace(fitted, warnings=tuple(warnings(fitted, draws, float(runs[x].max()), ends)))


def _without(points: pd.DataFrame, hold_out: Collection[str]) -> pd.DataFrame:
    """The runs that aren't held out."""
    if not hold_out:
        return points
    known_runs("hold_out", hold_out, points)
    return points[~points["run"].isin(hold_out)]


@dataclass(frozen=True, eq=False)
class _Redrawn:
    """The cells of a study, to be drawn again: as a problem, as they were measured, and those that go together."""

    scales: Scales
    every: Problem
    measured: Floats
    together: NDArray[np.int64]
    seed: int

    def laws(self, solution: Solved, number: int) -> Floats:
        """The parameters [B, P] of a family's laws of so many draws."""
        coords_BP = np.empty((0, len(solution.coords)))
        if number:
            drawing = replace(self.every, family=solution.problem.family)
            coords_BP = redrawn(drawing, self.measured, solution.coords, self.together, number, self.seed)
        return self.scales.params(solution.problem, coords_BP)


def _averaged(runs: pd.DataFrame, metric: str, x: str, seeds: str, held: ArrayLike = False) -> pd.DataFrame:
    """A row for each cell, or for each run; those that are `held` out have cells of their own."""
    if seeds not in SEEDS:
        raise Refused(f"seeds = {seeds!r}: give {' or '.join(SEEDS)}.")
    together = np.arange(len(runs))
    if seeds == SEEDS[0]:
        together = 2 * cells(runs, x) + np.asarray(held, int)
    return averaged(runs, metric, x, together)


def _enough(front: pd.DataFrame, runs: pd.DataFrame, metric: str, x: str, form: Family, one_model: bool) -> None:
    """Raise Refused where a frontier can't carry a law."""
    needed, start = len(form.parameters) + SPARE, f"{metric} vs {x} has"
    if len(front) < needed:
        points = f"{len(front)} frontier points"
        if len(front) == 1:
            points = "1 frontier point"
        remedy = _more(x, one_model) + _carried(len(front))
        if runs[[x, metric]].corr("spearman").iloc[0, 1] > RISING:
            remedy = f"{metric} rises with compute: a law is of what falls, such as an error or a loss."
        number = f"{len(runs)} runs"
        if len(runs) == 1:
            number = "1 run"
        short = f"{points} among {number}, and a law with {needed - SPARE} parameters needs {needed}"
        raise Refused(f"{start} {short}. {remedy}")
    if (span := float(np.log10(front[x].iloc[-1] / front[x].iloc[0]))) < DECADES:
        short = f"a frontier over {decades(f'{span:.2g}')} of compute, and {EXPONENT_NEEDS}"
        raise Refused(f"{start} {short}. Add smaller or larger {_wider(x)}.")
    if not one_model and front["model"].nunique() == 1:
        raise Refused(
            f"{start} all of its frontier on one model, {front['model'].iloc[0]}: that is its learning curve, not the"
            f" law of a study. Add model sizes, or say --per model for the law of each model."
        )


def _more(x: str, one_model: bool) -> str:
    """What to add to a study whose frontier over a column has too few points."""
    if x == "data_size":
        return "Add data sizes, so that more of them have a run that none of fewer images equals."
    if one_model:
        return "Add budgets, so that more runs are the best at their compute."
    return "Add budgets or model sizes, so that more runs are the best at their compute."


def _carried(points: int) -> str:
    """The laws that so few points carry, as words of the command line; none where they carry none."""
    needs = {name: len(family(name).parameters) + SPARE for name in _SIMPLER}
    carried = [f"--law {name} needs {need}" for name, need in needs.items() if need <= points]
    if not carried:
        return ""
    return f" Equal budgets, as of IsoFLOP, give one point each; {' and '.join(carried)}."


def _wider(x: str) -> str:
    """What a study lacks whose frontier over a column is too short."""
    if x == "data_size":
        return "data sizes"
    return "budgets"


def _intervals(
    law: Law, drawn: Floats, points: int, ends: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """The 90 % interval of each parameter: of those that may be 0 as distances, of others as factors."""
    if not len(drawn):
        return {}
    intervals, wider = {}, widening(points, len(law.values))
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
    excluded = int(((kept["state"] == "done") & kept["excluded"].astype(bool)).sum())
    return Counts(len(runs), len(points) - len(kept), excluded, diverged, done - excluded - len(runs))


def _members(families: Sequence[Solved], scales: Scales, drawn_BP: Floats, drawn: _Redrawn) -> tuple[Member, ...]:
    """The laws that predictions are averaged over: the last with its draws, others with as many as they are worth."""
    members, points = [], families[0].points
    shares = weights([solution.left_one_out for solution in families], points)
    for share, solution in zip(map(float, shares), families, strict=True):
        draws_BP = drawn_BP
        if share and solution is not families[-1]:
            draws_BP = drawn.laws(solution, min(len(drawn_BP), max(_FEWEST, round(share * len(drawn_BP)))))
        if share:
            members.append(Member(scales.law(solution), share, draws_BP, points))
    return tuple(members)


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


def _held_out(
    points: pd.DataFrame, fitted: Fitted, hold_out: Collection[str], seeds: str, seed: int
) -> tuple[HeldOut, ...]:
    """The held-out runs that would be on the frontier; their intervals hold the scatter of points as well."""
    if not points.loc[points["run"].isin(hold_out), fitted.metric].notna().any():
        return ()
    runs = usable(points, fitted.metric, fitted.x)
    held = runs["run"].isin(hold_out)
    front = front_of(_averaged(runs, fitted.metric, fitted.x, seeds, held), fitted.metric)
    chosen = front[front["run"].isin(hold_out)]
    if chosen.empty:
        return ()
    compute = chosen[fitted.x].to_numpy(float)
    low, high = fitted.average.around(compute, fitted.residuals, seed=seed)
    columns = (chosen["run"], chosen["name"], compute, fitted(compute), low, high, chosen[fitted.metric])
    return tuple(HeldOut(str(run), str(name), *map(float, row)) for run, name, *row in zip(*columns, strict=True))
