"""The laws of a store; reports alone know the analysis. Nothing here loads Matplotlib: many verbs draw nothing."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas import DataFrame, read_sql_table

from scalectl.analysis.backtests import Backtest, backtest
from scalectl.analysis.checks import Refused
from scalectl.analysis.fitting import fit
from scalectl.analysis.groups import fit_each
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import among, without
from scalectl.analysis.store import metrics
from scalectl.analysis.table import Table
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.report.points import all_points, chosen_runs, select_runs
from scalectl.orchestrator.report.study import Ask, ask, held_out
from scalectl.orchestrator.store.database import reading

if TYPE_CHECKING:
    from scalectl.analysis.budgets import IsoFlop
    from scalectl.analysis.prediction import Prediction


@contextmanager
def refusals() -> Iterator[None]:
    """Have what the analysis refuses raised as a Refusal, which ends a command."""
    try:
        yield
    except Refused as refused:
        raise Refusal(f"refused: {refused}") from None


def study_points(store: Path, study: str | None, where: str | None = None, **said: Any) -> tuple[Ask, DataFrame]:
    """The fits of a study, with what was `said` in place of its own words, and its points that `where` chooses.

    Raises NotFound without a store or study, Unusable for a store that can't be read, and Refusal where `where`
    chooses none of its runs.
    """
    request = ask(store, study)
    points = all_points(store)
    points = points[among(points["run"], request.runs)].reset_index(drop=True)
    # another study of the store, planned later, may name a shape and its runs otherwise
    points["name"], points["model"] = points["run"].map(request.names), points["run"].map(request.runs)
    points["study"] = request.study
    request = request.on([name for name in metrics(points) if points[name].notna().any()]).changed(**said)
    return request, chosen_runs(points, where, request.study)


def held_out_runs(points: DataFrame, fit: Fit, expression: str | None) -> Collection[str]:
    """The ids of the runs to hold out: those of the command line's expression, or else of the study's rule."""
    if expression is None:
        return held_out(points, fit.hold_out)
    return list(select_runs(points, "--hold-out", expression)["run"])


def kept_runs(points: DataFrame, fit: Fit) -> DataFrame:
    """The runs that the study's rule doesn't hold out; raises Refused where it holds out all that are done."""
    return without(points, held_out_runs(points, fit, None)).reset_index(drop=True)


def fit_or_reason(points: DataFrame | Table, wanted: Fit, hold_out: Collection[str]) -> tuple[Fitted | None, str]:
    """The law, or none and the reason why the points can't carry it; laws of one table share what they can."""
    try:
        return fit(points, wanted.metric, wanted.compute, hold_out=hold_out, **wanted.manner), ""
    except Refused as refused:
        return None, f"refused: {refused}"


def tested(points: DataFrame | Table, wanted: Fit, hold_out: Collection[str]) -> Backtest:
    """The backtest of a law; raises Refusal where the points have no runs for it."""
    with refusals():
        return backtest(Table.of(points).without(hold_out), wanted.metric, wanted.compute, **wanted.manner)


def fit_per(points: DataFrame, wanted: Fit, per: str) -> tuple[dict[str, Fitted], dict[str, str], str]:
    """The law of each model or data size, the reasons of those that have none, and all of them as a table; without the
    runs that the study holds out; raises Refusal where these are all.
    """
    with refusals():
        groups = fit_each(kept_runs(points, wanted), wanted.metric, wanted.compute, per=per, **wanted.manner)
    return groups.laws, {name: str(refused) for name, refused in groups.refused.items()}, str(groups)


def minima(points: DataFrame, wanted: Fit) -> "IsoFlop":
    """The best model size at each budget and its growth, without the runs that the study holds out; raises Refusal
    where the others can't carry it.
    """
    from scalectl.analysis.budgets import isoflop  # which loads SciPy, and no other answer needs it

    with refusals():
        return isoflop(kept_runs(points, wanted), wanted.metric, wanted.compute, seeds=wanted.seeds)


def predicted(points: DataFrame, wanted: Fit, **question: Any) -> "Prediction":
    """The answer to a question of `analysis.predict`, from the runs that the study doesn't hold out.

    Raises Refusal where these can't carry it.
    """
    from scalectl.analysis.prediction import predict  # no law alone needs sizes and surrogates

    with refusals():
        return predict(kept_runs(points, wanted), wanted.metric, wanted.compute, **wanted.manner, **question)


def training_curves(store: Path, points: DataFrame, *columns: str) -> DataFrame:
    """The training curves of these runs: the view `curves`, or of it `run`, `step` and the columns that are named."""
    with reading(store) as connection:
        known = connection.exec_driver_sql("SELECT * FROM curves LIMIT 0").keys()
        wanted = [name for name in known if name in ("run", "step", *columns)]
        if not columns or not {*columns} <= {*known}:  # whoever asks for another one is told of all that there are
            wanted = [*known]
        curves = read_sql_table("curves", connection, columns=wanted)
    return curves[among(curves["run"], points["run"].tolist())].reset_index(drop=True)
