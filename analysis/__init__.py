"""results.db in; frontier, law, figures out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalectl.analysis.backtests import backtest
    from scalectl.analysis.budgets import isoflop
    from scalectl.analysis.checks import Refused
    from scalectl.analysis.extrapolation import extrapolate
    from scalectl.analysis.fitting import fit
    from scalectl.analysis.foretold import foretell, judge
    from scalectl.analysis.groups import fit_each
    from scalectl.analysis.plotting import plot
    from scalectl.analysis.prediction import predict
    from scalectl.analysis.runs import frontier
    from scalectl.analysis.selection import select
    from scalectl.analysis.store import curves, measurements, read
    from scalectl.analysis.suggestion import suggest
    from scalectl.analysis.surface import fit_surface

__all__ = [
    "Refused",
    "backtest",
    "curves",
    "extrapolate",
    "fit",
    "fit_each",
    "fit_surface",
    "foretell",
    "frontier",
    "isoflop",
    "judge",
    "measurements",
    "plot",
    "predict",
    "read",
    "select",
    "suggest",
]

# they load NumPy, pandas, SciPy or Matplotlib, so each module is imported when the first of its names is used
_MODULES = {
    "Refused": "checks",
    "backtest": "backtests",
    "curves": "store",
    "extrapolate": "extrapolation",
    "fit": "fitting",
    "fit_each": "groups",
    "fit_surface": "surface",
    "foretell": "foretold",
    "frontier": "runs",
    "isoflop": "budgets",
    "judge": "foretold",
    "measurements": "store",
    "plot": "plotting",
    "predict": "prediction",
    "read": "store",
    "select": "selection",
    "suggest": "suggestion",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
