"""Backtests: the law of the cheaper runs, held against the frontier that dearer runs reached."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused, amount
from scalectl.analysis.conformal import failed, needed
from scalectl.analysis.documents import known
from scalectl.analysis.enough import rise
from scalectl.analysis.estimation import estimated
from scalectl.analysis.law import Floats
from scalectl.analysis.notebook import Report, html_table
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import COMPUTE, METRIC
from scalectl.analysis.sample import Manner
from scalectl.analysis.table import Table
from scalectl.analysis.values import rms
from scalectl.analysis.vocabulary import AXES, FRONTIER

SHARES = (10.0, 30.0)  # parts of the largest compute that the cheaper runs have
DRAWS = 200
_FAILED = 1.05  # factor of widths from which on a backtest is warned of
LEAST = 2  # later points that say something
_ROUNDING = 1e-6  # of log error, below which an interval has no width


@dataclass(frozen=True, eq=False)
class Cut:
    """The law of the runs up to a share of the compute, and the later frontier: measured, predicted, with intervals."""

    share: float  # of the largest compute
    compute: float  # that the fitted runs have at most
    fitted: Fitted
    later: pd.DataFrame  # run, name, the column of compute, got, expected without luck, predicted, low and high

    @property
    def rms(self) -> float:
        """The rms of log(predicted / measured), without the luck of the best where it is known."""
        return rms(np.log((self.later["predicted"] / self.later["expected"]).to_numpy(float)))

    @property
    def distances(self) -> Floats:
        """How far each later point lies from its prediction, in log error and units of its own half interval."""
        got, middle = np.log(self.later["expected"]), np.log(self.later["predicted"])
        reach = np.where(got < middle, middle - np.log(self.later["low"]), np.log(self.later["high"]) - middle)
        return np.asarray(np.abs(got - middle) / np.maximum(reach, _ROUNDING))

    @property
    def coverage(self) -> float:
        """The share of the later points inside their interval."""
        return float((self.distances <= 1).mean())

    @property
    def wider(self) -> float:
        """The factor that would have made intervals, in log error, hold as many later points as they say; at least 1.

        It is a quantile of the distances, as conformal prediction has it.
        """
        return needed(self.distances)

    @property
    def failed(self) -> bool:
        """Whether too many of enough later points lie outside their intervals for that to be chance."""
        count = len(self.later)
        return failed(round(self.coverage * count), count)


@dataclass(frozen=True, eq=False, repr=False)
class Backtest(Report):
    """The cuts that the runs carry, and the reasons for those that they don't."""

    metric: str
    x: str
    cuts: tuple[Cut, ...]
    refused: dict[float, str]

    @property
    def wider(self) -> float:
        """The factor that would have made intervals hold as many points of all cuts as they say; 1 without any cut."""
        if not self.cuts:
            return 1.0
        return needed(np.concatenate([cut.distances for cut in self.cuts]))

    @property
    def stretch(self) -> float:
        """The factor by which intervals of laws of these runs are widened: that of the cuts that failed, else 1."""
        return max((cut.wider for cut in self.cuts if cut.failed), default=1.0)

    def to_json(self) -> dict[str, Any]:
        """The backtest as a JSON object."""
        cuts = [
            {
                "share": cut.share,
                "compute": cut.compute,
                "points": len(cut.later),
                "rms": cut.rms,
                "coverage": cut.coverage,
                "wider": cut.wider,
                "later": cut.later.to_dict("records"),
            }
            for cut in self.cuts
        ]
        refused = [{"share": share, "reason": reason} for share, reason in self.refused.items()]
        document = {"metric": self.metric, "compute": self.x, "level": LEVEL, "wider": self.wider}
        return {name: known(value) for name, value in (document | {"cuts": cuts, "refused": refused}).items()}

    def __str__(self) -> str:
        return "\n".join([f"{self.metric} vs {self.x} · backtest", "", *self.lines()])

    def _repr_html_(self) -> str:
        rows = [
            (_part(cut.share), str(len(cut.later)), f"{cut.rms:.2g}", f"{100 * cut.coverage:.0f} %")
            for cut in self.cuts
        ]
        header = ("fitted up to", "later points", "rms (log)", "inside")
        return html_table(f"{self.metric} vs {self.x} · backtest", header, rows, self.refused.values())

    def lines(self) -> Iterator[str]:
        """Yield a line for each cut, and one for the width of intervals."""
        word, points = AXES[self.x].word, "runs"
        if all(cut.fitted.runs == FRONTIER for cut in self.cuts):
            points = "frontier points"
        for cut in self.cuts:
            yield (
                f"  backtest from {_part(cut.share)} of the {word}: {cut.rms:.2g} rms (log) over {len(cut.later)}"
                f" later {points}, {100 * cut.coverage:.0f} % of them inside the {100 * LEVEL:.0f} % interval"
            )
        for share, reason in self.refused.items():
            if self.cuts:  # the runs carry a law, and how to get one is no advice
                reason = reason.removeprefix(f"{self.metric} vs {self.x} has ").partition(". ")[0]
            yield f"  backtest from {_part(share)} of the {word}: {reason}"
        if self.wider > _FAILED:
            yield (
                f"  warning: intervals would have had to be {self.wider:.2g} times as wide to hold"
                f" {100 * LEVEL:.0f} % of these points"
            )


def _part(share: float) -> str:
    return f"1/{share:g}"


def backtest(
    points: pd.DataFrame | Table,
    metric: str = METRIC,
    x: str = COMPUTE,
    *,
    shares: Collection[float] = SHARES,
    **options: Any,
) -> Backtest:
    """Fit the runs up to 1 / share of the largest compute, for each of `shares`, and predict the later frontier.

    `options` are those of `fit`. A cut that can't be fitted or has fewer than two later points is among `refused`.
    Raises what `usable` raises, and Refused for shares that are not finite and above 0.
    """
    if np.isscalar(shares):
        raise Refused(f"shares = {shares!r}: give a list, such as {list(SHARES)}.")
    parts = [amount("shares", share) for share in shares]
    table = Table.of(points)
    runs = table.usable(metric, x)
    cuts, refused = [], {}
    manner = Manner(**({"draws": DRAWS} | options))
    for share in parts:
        try:
            cuts.append(_cut(table, metric, x, share, manner))
        except Refused as why:
            refused[share] = rise(runs, metric, x) or str(why)
    return Backtest(metric, x, tuple(cuts), refused)


def _cut(table: Table, metric: str, x: str, share: float, manner: Manner) -> Cut:
    most = float(table.usable(metric, x)[x].max()) / share
    name = "runs"
    if manner.runs == FRONTIER:
        name = "frontier points"
    reached = table.sample(metric, x, manner).fitted
    later = reached[(reached[x] > most) & (reached[metric] > 0)]
    if len(later) < LEAST:
        raise Refused(f"{len(later)} later {name}, and a backtest needs {LEAST}.")
    fitted = estimated(table.up_to(most, metric, x), metric, x, (), manner)
    compute = later[x].to_numpy(float)
    low, high = fitted.average.around(compute, fitted.residuals)
    columns = {"got": later[metric].to_numpy(float), "expected": later["expected"].to_numpy(float)}
    columns |= {"predicted": fitted(compute), "low": low, "high": high}
    known = [column for column in ("run", "name", x) if column in later]
    return Cut(share, most, fitted, later[known].reset_index(drop=True).assign(**columns))
