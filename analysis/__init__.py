"""results.db in; frontier, law, figures out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalectl.analysis.read import measurements, read

if TYPE_CHECKING:
    from scalectl.analysis.extrapolation import extrapolate
    from scalectl.analysis.prediction import predict
    from scalectl.analysis.suggestion import suggest
    from scalectl.analysis.surface import fit_surface

__all__ = ["extrapolate", "fit_surface", "measurements", "predict", "read", "suggest"]

_LATER = {
    "extrapolate": "scalectl.analysis.extrapolation",
    "fit_surface": "scalectl.analysis.surface",
    "predict": "scalectl.analysis.prediction",
    "suggest": "scalectl.analysis.suggestion",
}  # they load NumPy and SciPy


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'scalectl.analysis' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
