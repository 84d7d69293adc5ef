"""results.db in; frontier, law, figures out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from analysis.store import measurements, read

if TYPE_CHECKING:
    from analysis.extrapolation import extrapolate
    from analysis.prediction import predict
    from analysis.suggestion import suggest
    from analysis.surface import fit_surface

__all__ = ["extrapolate", "fit_surface", "measurements", "predict", "read", "suggest"]

_LATER = {
    "extrapolate": "analysis.extrapolation",
    "fit_surface": "analysis.surface",
    "predict": "analysis.prediction",
    "suggest": "analysis.suggestion",
}  # they load NumPy and SciPy


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
