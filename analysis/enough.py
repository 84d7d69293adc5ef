"""Whether points can carry a law, and if not the reason with its remedy."""

import numpy as np
import pandas as pd

from scalectl.analysis.checks import Refused
from scalectl.analysis.counting import counted
from scalectl.analysis.law import Family, family
from scalectl.analysis.vocabulary import AXES, FRONTIER, is_accuracy
from scalectl.analysis.warnings import DECADES, EXPONENT_NEEDS, decades

SPARE = 2  # points that a law needs beyond its parameters
_RISING = 0.5  # rank correlation with compute above which a metric is taken for one that rises
_SIMPLER = ("saturating", "power")  # laws of fewer points


def enough(fitted: pd.DataFrame, runs: pd.DataFrame, metric: str, x: str, form: Family, which: str) -> None:
    """Raise Refused where the points that are `fitted`, the frontier or all of the runs, can't carry a law.

    They are too few, counted by their values of `x`, or span less than a decade of it; or all of the runs don't fall.
    """
    if is_accuracy(metric) and (rising := rise(runs, metric, x)):  # its lowest values are no frontier
        raise Refused(rising)
    needed, values = len(form.parameters) + SPARE, fitted[x].to_numpy(float)
    if (count := len(np.unique(values))) < needed:
        short = f"{_points(count, x, which)} among {counted(len(runs), 'run')}"
        more = _more(x, which, one_model=runs["model"].nunique() == 1) + _carried(count, which)
        remedy = rise(runs, metric, x) or more
        carries = f"a law with {needed - SPARE} parameters needs {needed}"
        raise Refused(f"{metric} vs {x} has {short}, and {carries}. {remedy}")
    if (span := float(np.log10(values[-1] / values[0]))) < DECADES:
        across = f"a frontier over {decades(f'{span:.2g}')} of {AXES[x].word}"
        if which != FRONTIER:
            across = f"runs over {decades(f'{span:.2g}')} of {AXES[x].word}"
        raise Refused(f"{metric} vs {x} has {across}, and {EXPONENT_NEEDS}. Add smaller or larger {_wider(x)}.")
    if which != FRONTIER:
        _of_what_falls(runs, metric, x)


def _of_what_falls(runs: pd.DataFrame, metric: str, x: str) -> None:
    if rising := rise(runs, metric, x):
        raise Refused(rising)
    if runs[metric].nunique() == 1:
        raise Refused(f"all runs have {metric} = {runs[metric].iloc[0]:.6g}: nothing of it depends on {AXES[x].word}.")


def rise(runs: pd.DataFrame, metric: str, x: str) -> str:
    """That the metric rises with the column `x`, in words, or nothing; of an accuracy that no law is of one."""
    correlation = 0.0
    if runs[metric].nunique() > 1 and runs[x].nunique() > 1:
        correlation = float(runs[[x, metric]].corr("spearman").iloc[0, 1])
    falls = "a law is of what falls, such as an error or a loss."
    if correlation > _RISING:
        return f"{metric} rises with {AXES[x].word}: {falls}"
    if is_accuracy(metric) and correlation < -_RISING:  # figures and frontiers take its highest for the best
        error = f"Where it is an error, give it the name of one, as scalectl import --as '{metric}=error' does."
        return f"{metric} is an accuracy by its name, of which the highest is the best, and falls. {error}"
    if is_accuracy(metric):
        return f"{metric} is an accuracy by its name: {falls}"
    return ""


def several_models(frontier: pd.DataFrame, metric: str, x: str) -> None:
    """Raise Refused where one model has the whole frontier."""
    if frontier["model"].nunique() == 1:
        raise Refused(
            f"{metric} vs {x} has all of its frontier on one model, {frontier['model'].iloc[0]}: that is its learning"
            " curve, not the law of a study. Add model sizes, or say --per model for the law of each model."
        )


def _points(count: int, x: str, which: str) -> str:
    if which == FRONTIER:
        return counted(count, "frontier point")
    if count == 1:
        return f"1 value of {x}"
    return f"{count} different values of {x}"


def _more(x: str, which: str, *, one_model: bool) -> str:
    """What to add to a study with too few points over a column."""
    if which != FRONTIER:
        return f"Add runs with other {_wider(x)}."
    if x == "data_size":
        return "Add data sizes, so that more of them have a run that none of fewer images equals."
    if x == "params":
        return "Add model sizes, so that more of them have a run that no smaller model equals."
    if one_model:
        return "Add budgets, so that more runs are the best at their compute."
    return "Add budgets or model sizes, so that more runs are the best at their compute."


def _carried(count: int, which: str) -> str:
    """The laws that so few points carry, as words of the command line; none where they carry none."""
    needs = {name: len(family(name).parameters) + SPARE for name in _SIMPLER}
    carried = " and ".join(f"--law {name} needs {need}" for name, need in needs.items() if need <= count)
    if not carried:
        return ""
    if which != FRONTIER:
        return f" With fewer: {carried}."
    return f" Equal budgets, as of IsoFLOP, give one point each; {carried}."


def _wider(x: str) -> str:
    """What a study lacks whose points span too little of a column."""
    return {"data_size": "data sizes", "params": "model sizes"}.get(x, "budgets")
