"""One law for each model, or for each data size: sample efficiency, and what bounds the error."""

import pandas as pd

from analysis.checks import checked
from analysis.fitting import DRAWS, fit
from analysis.laws import DOUBLY_SATURATING, Family
from analysis.refusal import Refused
from analysis.report import Fitted, rms

BY = ("model", "data_size")


def fit_each(
    points: pd.DataFrame,
    by: str,
    metric: str,
    compute: str,
    *,
    family: Family = DOUBLY_SATURATING,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Fitted | Refused]:
    """Return the law of the frontier of each group of runs, or why it has none; smallest models or sizes first."""
    order = ["params", "model"] if by == "model" else ["data_size"]
    points = checked(points, [by, *order])
    found: dict[str, Fitted | Refused] = {}
    for name in points.sort_values(order)[by].dropna().unique():
        group = points[points[by] == name]
        one_model = group["model"].nunique() == 1
        try:
            law = fit(group, metric, compute, family=family, one_model=one_model, draws=draws, seed=seed)
            found[str(name)] = law
        except Refused as refused:
            found[str(name)] = refused
    return found


def table(laws: dict[str, Fitted | Refused]) -> str:
    """Return the laws as lines: their points, how far they are off (rms of the logarithm), and their formula."""
    if not laws:
        return "  no run tells it"
    wide = max(map(len, laws))
    lines = []
    for name, law in laws.items():
        if isinstance(law, Refused):
            lines.append(f"  {name:<{wide}}   {law}")
        else:
            points = f"{len(law.frontier)} of {law.counts.used} runs"
            lines.append(f"  {name:<{wide}}   {points:>15}   {rms(law.residuals):.2g} rms   {law.law}")
    return "\n".join(lines)
