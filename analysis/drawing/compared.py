"""The runs that a figure chooses the best from: those of laws, with the means of seeds in their place."""

import pandas as pd

from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.sample import averaged_cells
from scalectl.analysis.vocabulary import SEEDS


def compared(subject: Subject, runs: pd.DataFrame, x: str) -> pd.DataFrame:
    """The runs of a subject that are not held out, or the means of their seeds where its laws are fitted to means.

    The luckiest of several seeds would have a size seem better than one that was trained once.
    """
    held = set(subject.hold_out)
    if subject.fit:
        held |= {run.run for run in subject.fit.held_out}
    kept = runs[~runs["run"].isin(held)]
    if kept.empty:
        return kept
    return averaged_cells(kept, subject.metric, x, subject.fitting.get("seeds", SEEDS[0]))
