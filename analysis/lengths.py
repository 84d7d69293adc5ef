"""Whether the dearest runs of a frontier were long enough to be the best use of their compute."""

import numpy as np
import pandas as pd

from scalectl.analysis.law import Law
from scalectl.analysis.runs import COMPUTE, line_of

STEEP = 2.0  # times as fast as the law that the error of a line falls at its last run, so that it should have gone on
_APART = 1.9  # times the compute of the run before it that it is compared with: steps that double are far enough
_SURE = 3.0  # times the residuals of the law that it falls more than the law


class Lines:
    """The lines of some runs: those that differ in their length and seed alone."""

    def __init__(self, runs: pd.DataFrame, metric: str) -> None:
        self._runs, self._metric = runs, metric
        self._falls: dict[str, tuple[float, float]] = {}

    def fall(self, best: pd.Series) -> tuple[float, float]:
        """The compute of the run before a run on its line, and how far the error falls from there to it, in log; NaN
        where the line goes on, or has no other run.
        """
        if best["run"] not in self._falls:
            self._falls[best["run"]] = self._fall(best)
        return self._falls[best["run"]]

    def _fall(self, best: pd.Series) -> tuple[float, float]:
        errors = line_of(self._runs, best).groupby(COMPUTE)[self._metric].mean()
        before = errors[errors.index * _APART <= best[COMPUTE]]
        if before.empty or errors.index[-1] > best[COMPUTE] or not (errors > 0).all():
            return np.nan, np.nan
        return float(before.index[-1]), float(np.log(before.iloc[-1] / errors.iloc[-1]))


def cut_short(lines: Lines, frontier: pd.DataFrame, law: Law, residual: float) -> dict[str, float]:
    """The dearest runs of a frontier by name that are the longest of their lines, and how many times as fast as the law
    these fall there: STEEP or more, the dearest run first.

    Where lines touch their envelope both fall alike. Where one ends earlier, longer runs of smaller models would be
    better at that compute, and the frontier is that of the lengths that were trained. `residual` is how far points lie
    from the law, in log.
    """
    found = {}
    for _, best in frontier.sort_values(COMPUTE, ascending=False).iterrows():
        before, fall = lines.fall(best)
        if np.isnan(fall):
            break
        computes = np.array([before, best[COMPUTE]])
        expected = float(np.log(law(computes[:1]) / law(computes[1:]))[0])
        if not fall > max(STEEP * expected, expected + _SURE * residual):
            break
        found[str(best.get("name", best["run"]))] = fall / max(expected, np.finfo(float).tiny)
    return found


def told(short: dict[str, float]) -> str:
    """The warning of lines that end too early."""
    first, more, ratios = next(iter(short)), len(short) - 1, sorted(short.values())
    runs, times = f"{first} is the longest run of its line and falls", f"{ratios[0]:.2g}"
    if more:
        others = "one more run" if more == 1 else f"{more} more runs"
        runs = f"{first} and {others} at the end of the frontier are the longest of their lines and fall"
        times += f" to {ratios[-1]:.2g}"
    return (
        f"{runs} {times} times as fast as the law there: longer runs, of smaller models too, would be better, and floor"
        " and exponent may be those of this grid"
    )
