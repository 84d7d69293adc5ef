"""Whether the runs of a plan can show the best model size at a compute: several sizes have to be trained at it."""

from collections.abc import Iterable

from scalectl.analysis.vocabulary import MINIMA, NEAREST, TOGETHER
from scalectl.orchestrator.plan.plan import PlannedRun


def no_minima(runs: Iterable[PlannedRun]) -> str:
    """Why IsoFLOP will find no exponent in a study that has sizes enough, and the remedy; or nothing."""
    runs = sorted(runs, key=lambda run: run.flops)
    found = sum(len(sizes) >= NEAREST for sizes in _budgets(runs))
    if len({run.model for run in runs}) < NEAREST or found >= MINIMA:
        return ""
    needs = f"IsoFLOP needs {MINIMA} computes with {NEAREST} sizes each, and finds {found}"
    return f"{needs}: budgets.flops gives all models the same."


def _budgets(runs: Iterable[PlannedRun]) -> list[set[str]]:
    """The models at each compute, whose heads make no other size of them; runs of nearly one compute belong together,
    the cheapest first.
    """
    budgets: list[set[str]] = []
    cheapest = 0
    for run in runs:
        if not budgets or run.flops > TOGETHER * cheapest:
            cheapest = run.flops
            budgets.append(set())
        budgets[-1].add(run.model)
    return budgets
