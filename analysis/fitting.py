"""A law fitted to a table of runs; docs/laws.md says how, and why so."""

from collections.abc import Collection
from dataclasses import asdict, replace

import pandas as pd

from scalectl.analysis.backtests import DRAWS as FEW_DRAWS
from scalectl.analysis.backtests import SHARES, Backtest, backtest
from scalectl.analysis.checks import ids
from scalectl.analysis.estimation import carrying, estimated
from scalectl.analysis.flat_start import flat_start
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, METRIC
from scalectl.analysis.sample import DRAWS, Manner
from scalectl.analysis.table import Table
from scalectl.analysis.vocabulary import CORRELATION, FRONTIER, SEEDS


def fit(
    points: pd.DataFrame | Table,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    law: str | None = None,
    hold_out: Collection[str] = (),
    one_model: bool = False,
    runs: str = FRONTIER,
    seeds: str = SEEDS[0],
    correlation: float = CORRELATION,
    draws: int = DRAWS,
    seed: int = 0,
) -> Fitted:
    """The law of `points` over the column `x`, without the runs whose ids are in `hold_out`; those are predicted.

    It is that of the frontier or, with `runs` "all", of all runs, as laws of families trained alike are published.
    A `law` is the family that alone predicts. Without one the law is the doubly saturating one, and predictions are
    averaged over it and the simpler ones. Runs that differ in their seed alone are averaged before the frontier is
    found, or with `seeds` "each" are runs of their own. `correlation` is that of the sampling noise of two runs,
    which are tested on the same images; it matters where the column `test_images` has their number.
    Intervals are wider where those of the runs up to a tenth of the compute failed to hold what dearer runs reached.
    With no `draws` it is quick, and every interval is unknown: `intervals` is empty, ends of bands are NaN.
    Raises Refused for a law that neither scalectl nor code of one's own has, for columns that are missing, for a metric
    or values that can't be fitted, below two points more than parameters, below a decade of compute, and, unless
    `one_model` says that this is meant, where one model has the whole frontier.
    """
    manner = Manner(law, runs, seeds, correlation, one_model, draws, seed)
    hold_out = ids("hold_out", hold_out)
    table = Table.of(points)
    kept = carrying(table, metric, x, hold_out, manner)
    test = _tested(kept, metric, x, manner)
    fitted = estimated(table, metric, x, hold_out, manner, test.stretch if test else 1.0)
    if test:
        fitted = replace(fitted, backtest=tuple(line.strip() for line in test.lines()))
    return replace(fitted, warnings=(*fitted.warnings, *flat_start(kept, fitted, manner)))


def _tested(kept: Table, metric: str, x: str, manner: Manner) -> Backtest | None:
    """How well the law of the runs up to a tenth of the compute foresaw the dearer; None where the runs carry none."""
    if not manner.draws:
        return None
    few = asdict(replace(manner, draws=min(manner.draws, FEW_DRAWS)))
    test = backtest(kept, metric, x, shares=SHARES[:1], **few)
    if not test.cuts:
        return None
    return test
