"""The runs of a store as a table, and those of them that an expression chooses; laws are loaded by whoever fits one."""

from pathlib import Path

from pandas import DataFrame
from pandas.errors import DatabaseError

from scalectl import analysis
from scalectl.analysis.selection import Unreadable, select
from scalectl.orchestrator.errors import Exit, Problem, Refusal, Spot
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.database import check


class InvalidExpression(Refusal):
    """A --where or --hold-out that can't be read."""

    exit = Exit.INVALID


def all_points(store: Path) -> DataFrame:
    """All runs of a store; raises Unusable for one that can't be read."""
    try:
        return analysis.read(store)
    except (ValueError, DatabaseError) as error:
        check(store)  # which names the value or the page that is at fault
        raise Unusable(str(error)) from error


def chosen_runs(points: DataFrame, where: str | None, studies: str) -> DataFrame:
    """The runs of some studies that --where chooses, all of them without it; raises Refusal where it chooses none."""
    if where is None:
        return points.reset_index(drop=True)
    chosen = select_runs(points, "--where", where).reset_index(drop=True)
    if chosen.empty and len(points):
        raise Refusal(f"--where {where!r} chooses none of the {len(points)} runs of {studies}.")
    return chosen


def select_runs(points: DataFrame, option: str, text: str) -> DataFrame:
    """The rows that an expression of the command line chooses; raises InvalidExpression with the place."""
    try:
        return points[select(points, text)]
    except Unreadable as wrong:
        spot = Spot(option, 1, wrong.start + 1, wrong.end - wrong.start, wrong.text)
        raise InvalidExpression(str(Problem(spot, "", wrong.problem, wrong.hint))) from None
