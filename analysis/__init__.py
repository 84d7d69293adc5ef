"""results.db in; frontier, law, figures out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.budgets import isoflop
    from analysis.checks import Refused
    from analysis.extrapolation import extrapolate
    from analysis.fitting import fit
    from analysis.groups import fit_each
    from analysis.plotting import plot
    from analysis.prediction import predict
    from analysis.runs import frontier
    from analysis.selection import select
    from analysis.store import measurements, read
    from analysis.suggestion import suggest
    from analysis.surface import fit_surface

__all__ = [
    "Refused",
    "extrapolate",
    "fit",
    "fit_each",
    "fit_surface",
    "frontier",
    "isoflop",
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
    "extrapolate": "extrapolation",
    "fit": "fitting",
    "fit_each": "groups",
    "fit_surface": "surface",
    "frontier": "runs",
    "isoflop": "budgets",
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
