"""The best runs of each model size at equal compute, as a page draws them."""

from collections.abc import Collection, Iterator
from typing import Any

from pandas import DataFrame

from scalectl.analysis.budgets import SIZES, Budget, best_of_sizes, budgets, minima_of, parabola, refuse_rise, sized
from scalectl.analysis.checks import Refused
from scalectl.analysis.vocabulary import NEAREST
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.page.laws import rounded
from scalectl.orchestrator.report.fits import kept_runs, minima

_POINTS = 30  # of a parabola
Document = dict[str, Any]


def isoflop_documents(points: DataFrame, wanted: Fit, metrics: Collection[str]) -> Iterator[Document]:
    """Yield the budgets of each metric over the compute of the study's law, or the reason why there are none."""
    for metric in metrics:
        document: Document = {"metric": metric, "x": wanted.compute, "refusal": ""}
        try:
            yield (
                document
                | _budgets(kept_runs(points, wanted), metric, wanted.compute, wanted.seeds)
                | {"text": _text(points, wanted, metric)}
            )
        except Refused as refused:
            yield document | {"refusal": str(refused)}


def _budgets(points: DataFrame, metric: str, x: str, seeds: str) -> Document:
    runs = sized(points, metric, x, seeds)
    refuse_rise(runs, metric, x)
    groups = [group for group in budgets(runs, x) if group["size"].nunique() >= SIZES]
    most = max((group["size"].nunique() for group in groups), default=0)
    if most < NEAREST:
        remedy = f"train more sizes at equal {x}"
        raise Refused(f"No budget of {x} has the {NEAREST} model sizes that a minimum needs: {remedy}.")
    every = zip(groups, minima_of(groups, metric, x), strict=True)
    return {"budgets": [_budget(best_of_sizes(group, metric), budget, metric) for group, budget in every]}


def _budget(best: DataFrame, budget: Budget, metric: str) -> Document:
    document: Document = {"compute": budget.compute, "best": _points(best, metric), "parabola": None}
    if budget.params is None:
        return document | {"why": budget.why}
    sizes, errors = parabola(budget, best, metric, _POINTS)
    curve = {"x": rounded(sizes), "y": rounded(errors)}
    return document | {"params": budget.params, "error": budget.error, "parabola": curve}


def _points(best: DataFrame, metric: str) -> list[Document]:
    """The best of each size: its runs, several where it is a mean of seeds, its name and its value."""
    rows = zip(best["members"], best["name"], best[metric], strict=True)
    return [{"runs": list(members), "name": name, "y": float(value)} for members, name, value in rows]


def _text(points: DataFrame, wanted: Fit, metric: str) -> str:
    """How the best size grows, as `scalectl fit --isoflop` says it, or why that isn't known."""
    try:
        return str(minima(points, wanted.model_copy(update={"metric": metric}))).rpartition("\n\n")[2].strip()
    except Refusal as refusal:
        return str(refusal).removeprefix("refused: ")
