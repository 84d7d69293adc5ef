"""Plan, train and fit scaling-law studies of Vision Transformers; scalectl is the only import name that it owns.

    import scalectl

    results = scalectl.open("results.db")
    results.launch("experiments.yaml")
    print(results.fit())  # the law of the study

    points = scalectl.read("results.db")  # the same by hand: every function takes a table of runs
    law = scalectl.fit(points, "upstream/error", law="saturating")
    print(scalectl.predict(points, compute=1e16))

Laws, figures and columns are named by words: those of the command line. What can't be answered raises Refused, with the
reason. Every name is imported when it is used first, so that `import scalectl` loads no other library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalectl.analysis import (
        Refused,
        backtest,
        curves,
        extrapolate,
        fit,
        fit_each,
        fit_surface,
        foretell,
        frontier,
        isoflop,
        judge,
        measurements,
        plot,
        predict,
        read,
        select,
        suggest,
    )
    from scalectl.launched import Launched, LaunchFailed
    from scalectl.results import Results, open
    from scalectl.screens import Screen, plan, status

    __version__: str

__all__ = [
    "LaunchFailed",
    "Launched",
    "Refused",
    "Results",
    "Screen",
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
    "open",
    "plan",
    "plot",
    "predict",
    "read",
    "select",
    "status",
    "suggest",
]

_HOMES = {"Screen": "screens", "plan": "screens", "status": "screens"}  # of names that are not the analysis's
_HOMES |= {"Results": "results", "open": "results", "Launched": "launched", "LaunchFailed": "launched"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("scalectl")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "analysis")
    return getattr(import_module(f"scalectl.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
