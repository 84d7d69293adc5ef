"""The data of a page: all that it shows of one study, as one JSON object."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pandas import DataFrame

from scalectl.analysis.documents import known
from scalectl.analysis.drawing.labels import data_name, metric_words
from scalectl.analysis.printable import is_printable, printable
from scalectl.analysis.table import Table
from scalectl.analysis.values import value
from scalectl.analysis.vocabulary import AXES, is_accuracy, is_in_per_cent
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.format import USUAL, counted, flops, share
from scalectl.orchestrator.goodput import goodput
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.page import runs
from scalectl.orchestrator.page.budgets import isoflop_documents
from scalectl.orchestrator.page.curves import carried, curve_documents
from scalectl.orchestrator.page.laws import backtest_documents, families, law_documents
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.report.fits import held_out_runs, study_points
from scalectl.orchestrator.report.study import Ask
from scalectl.orchestrator.revision import revision
from scalectl.orchestrator.store.provenance import Provenance
from scalectl.orchestrator.store.reading import Status, Store

Document = dict[str, Any]
_NUMBERS = {int, float, bool, type(None)}


def document(path: Path, study: str | None = None, where: str | None = None, *, thorough: bool = True) -> Document:
    """The data of the page of a study, by default the one planned last, or of those of its runs that `where` chooses;
    with its own laws alone unless `thorough`.

    Raises what `study_points` raises.
    """
    store = Store(path)
    ask, points = study_points(path, study, where)
    source = store.provenance(ask.study, ask.runs)
    ask = replace(ask, runs=dict(zip(points["run"].tolist(), points["model"].tolist(), strict=True)))
    status = of_study(store.status(), ask)
    points = runs.described(points, status.runs, source.exclusions)
    ask = _carried(ask, runs.measured(points), runs.spent(points))
    whole = {
        **_head(path, ask, own=store.studies()[0] == ask.study),
        "fits": [_fit(points, fit) for fit in ask.fits.values()],
        "where": where or "",
        "summary": summary(status, where),
        **_runs(points),
        **_laws(points, ask, thorough=thorough),
        "curves": list(curve_documents(store.segments(ask.runs, carried))),
        **_origin(source),
    }
    return dict(shown_text(known(whole)))


def of_study(status: Status, ask: Ask) -> Status:
    """The status of the runs of one study; those that the store did not train are imported ones."""
    lines = tuple(line._replace(name=ask.names[line.id]) for line in status.runs if line.id in ask.runs)
    return replace(status, runs=lines, imported=len(ask.runs) - len(lines))


def _carried(ask: Ask, metrics: Sequence[str], axes: Sequence[str]) -> Ask:
    """The ask with the fits whose metric and compute are known, or else with that of the main metric.

    Imported runs ask for nothing, and few of them have the metric of our own.
    """
    fits = {name: fit for name, fit in ask.fits.items() if fit.metric in metrics and fit.compute in axes}
    if not fits and metrics and axes:
        name, fit = next(iter(ask.fits.items()))
        fits = {name: fit.model_copy(update={"metric": main_metric(metrics), "compute": axes[0]})}
    return replace(ask, fits=fits or ask.fits)


def summary(status: Status, where: str | None = None) -> list[str]:
    """A line on the runs of a study, or on those that `where` has chosen, in its parts."""
    parts = []
    if where:
        parts.append(f"only runs with {where}")
    if not status.runs:
        return [*parts, counted(status.imported, "imported run")]
    done, whole = status.work
    parts += [f"{number} {state}" for state, number in status.counts.items() if number]
    if whole:
        parts.append(f"{share(done / whole)} of {flops(whole)} FLOPs")
    best = status.best
    if best is not None and best.value is not None:
        parts.append(
            f"best: {best.name} with {status.metric} {value(status.metric, best.value)} at {flops(best.flops)} FLOPs"
        )
    return parts


def _head(path: Path, ask: Ask, *, own: bool) -> Document:
    name = str(path)
    if path.absolute() == USUAL.absolute():
        name = str(USUAL)
    return {
        "study": ask.study,
        "own": own,
        "store": name,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "version": version("scalectl"),
        "revision": revision(),
        "live": None,
    }


def _fit(points: DataFrame, fit: Fit) -> Document:
    held_out = list(held_out_runs(points, fit, None))
    return {"metric": fit.metric, "x": fit.compute, "law": fit.law or "", "seeds": fit.seeds, "held_out": held_out}


def _runs(points: DataFrame) -> Document:
    settings, data = runs.differing(points), data_name(points)
    table = runs.table_columns(points, settings)
    swept = [name for name in settings if name not in ("model", "data_size", "steps")]
    card = ["why", "model", "params", "data_size", "steps", *swept, "flops", "device_seconds", "core_days"]
    columns = runs.columns(points, settings)
    return {
        "metrics": [_metric(name, data) for name in runs.measured(points)],
        "axes": [{"name": name, "label": AXES[name].label, "unit": AXES[name].unit} for name in runs.spent(points)],
        "models": runs.models(points),
        "facets": runs.facets(points, settings),
        "settings": settings,
        "swept": swept,
        "columns": table,
        "numbers": runs.numbers(points, [*table, *settings]),
        "card": [name for name in card if name in columns],
        "shared": runs.alike(points),
        "runs": columns,
    }


def _metric(name: str, data: str) -> Document:
    words = {"name": name, "label": metric_words(name, data)}
    return words | {"rises": is_accuracy(name), "percent": is_in_per_cent(name)}


def _laws(points: DataFrame, ask: Ask, *, thorough: bool) -> Document:
    metrics, axes, table = runs.measured(points), runs.spent(points), Table(points)
    first = next(iter(ask.fits.values()))
    return {
        "families": [{"name": name} for name in families(ask)],
        "laws": list(law_documents(table, ask, metrics, axes, thorough=thorough)),
        "backtests": list(backtest_documents(table, ask)) if thorough else [],
        "isoflops": list(isoflop_documents(points, first, metrics)),
    }


def _origin(source: Provenance) -> Document:
    """The file without secrets, and the environments, losses and launches of the study."""
    launches = [
        {**asdict(launch), "started": _time(launch.started), "goodput": goodput(launch.entries)}
        for launch in source.launches
    ]
    environments = [
        {**asdict(environment), "first": _time(environment.first), "last": _time(environment.last)}
        for environment in source.environments
    ]
    return {
        "file": redacted(source.file),
        "launches": launches,
        "losses": [asdict(loss) for loss in source.losses],
        "environments": environments,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")


def shown_text(value: Any) -> Any:
    """A JSON value without characters that steer a screen or can't be seen."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(name)): shown_text(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        if kinds <= _NUMBERS or (kinds == {str} and is_printable("".join(value))):  # as nearly all are
            return list(value)
        return [item if type(item) in _NUMBERS else shown_text(item) for item in value]
    return value
