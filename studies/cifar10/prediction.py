"""Writes the numbers and the figure of PREDICTION.md: what the runs of a day say of those that were trained later.

scalectl predict --missing study.yaml -o csv > prediction_of_the_largest.csv
python prediction.py

Known are the runs that were done when that file was written: those of study.yaml that are not in it.
"""

from collections.abc import Callable

import pandas as pd
import report  # type: ignore[import-not-found]  # beside this script
from tables import ERROR, HERE, percent, scaling, table  # type: ignore[import-not-found]

import scalectl

SAID = HERE / "prediction_of_the_largest.csv"


def said() -> pd.DataFrame:
    """The predicted runs, cheapest first."""
    return pd.read_csv(SAID, dtype={"run": str}).sort_values("compute", ignore_index=True)


def known() -> pd.DataFrame:
    """The runs that were done then."""
    points = scaling()
    is_known = (points["state"] == "done") & ~points["run"].isin(said()["run"])
    return points[is_known].reset_index(drop=True)


def rested() -> str:
    """What the prediction rests on, and how far it looks."""
    runs, ahead = known(), said()["compute"].max()
    dearest = runs["flops"].max()
    return (
        f"It rests on {len(runs)} runs of {runs['model'].nunique()} models, up to {dearest:.3g} training FLOPs. The"
        f" largest of the {len(said())} predicted runs takes {ahead:.3g}, {ahead / dearest:.1f} times as much."
    )


def law() -> str:
    """The law of the frontier, whose exponent is b."""
    return f"```text\n{scalectl.fit(known(), ERROR)}\n```"


def largest() -> str:
    """The error and the best size at the compute of the largest run."""
    return f"```text\n{scalectl.predict(known(), ERROR, compute=said()['compute'].max())}\n```"


def held_out() -> str:
    """Each predicted run."""
    rows = [
        (row.name_, f"{row.compute:.3g}", percent(row.estimate), f"{percent(row.low)} to {percent(row.high)}")
        for row in said().rename(columns={"name": "name_"}).itertuples()
    ]
    return table(("run", "FLOPs", "error", "90 % interval"), rows)


def backtests() -> str:
    """What the cheap runs of that day said of its frontier."""
    return f"```text\n{scalectl.backtest(known(), ERROR)}\n```"


BLOCKS: dict[str, Callable[[], str]] = {block.__name__: block for block in (rested, law, largest, held_out, backtests)}


def main() -> None:
    """Fill PREDICTION.md and draw its figure."""
    file = HERE / "PREDICTION.md"
    file.write_text(report.filled(file.read_text(), BLOCKS))
    scalectl.plot(known(), "frontier", ERROR).save(HERE / "figures" / "prediction.png")


if __name__ == "__main__":
    main()
