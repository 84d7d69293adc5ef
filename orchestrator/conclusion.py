"""What a store comes to: its laws and its figure; of all rooms here, this one alone knows the analysis."""

import os
from collections.abc import Iterator
from pathlib import Path

from pandas import DataFrame

import analysis
from analysis import plots
from analysis.fit import fit
from analysis.fitted import Fitted
from analysis.refusal import Refused
from orchestrator.asks import DEFAULT, Ask, ask, held_out
from orchestrator.exits import Refusal
from orchestrator.experiment import Experiment
from orchestrator.records import Records
from orchestrator.schema import Fit


def asked(
    store: Path, study: str | None, metric: str | None = None, compute: str | None = None, hold_out: str | None = None
) -> tuple[Ask, DataFrame]:
    """Return what the study and the command line ask for, and the points of the study's runs."""
    found = ask(store, study).changed(metric, compute, hold_out)
    points = analysis.read(store)
    return found, points[points["run"].isin(found.runs)].reset_index(drop=True)


def fitted(points: DataFrame, wanted: Fit) -> tuple[Fitted | None, str]:
    """Return the law or, where the points can't carry it, why not."""
    try:
        return fit(points, wanted.metric, wanted.compute, hold_out=held_out(points, wanted.hold_out)), ""
    except Refused as refused:
        return None, str(refused)


def draw(points: DataFrame, wanted: Fit, law: Fitted | None, refusal: str, file: Path) -> None:
    """Write the frontier figure and its data; raises Refusal when there is nothing to draw, or no way to write it."""
    try:
        plots.save(points, wanted.metric, wanted.compute, file, fit=law, note=refusal)
    except (Refused, OSError) as error:
        raise Refusal(f"{file}: {error.strerror}" if isinstance(error, OSError) else str(error)) from error


def conclude(experiment: Experiment) -> Iterator[str]:
    """Store the laws of a launch, draw its frontier, and yield what to say of them.

    What the points can't carry is said in a line and fails nothing.
    """
    store, figure = Path(experiment.store), experiment.figure
    _, points = asked(store, experiment.name)
    fits = {name: (wanted, *fitted(points, wanted)) for name, wanted in (experiment.fits or DEFAULT).items()}
    try:
        with Records(store) as records:
            for name, (_, law, refusal) in fits.items():
                yield f"{experiment.name} · {law}\n" if law else refusal
                if law:
                    records.save_fit(f"{experiment.name}/{name}", law.to_json())
        draw(points, *next(iter(fits.values())), figure)
        yield f"{_near(figure)} written."
    except Refusal as refused:
        yield str(refused)


def _near(path: Path) -> str:
    """Return a path as it is reached from here, where that is downwards."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here
