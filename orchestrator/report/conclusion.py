"""What a launch ends with: its laws in the store and as text, and the frontier of each as a figure."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from scalectl.analysis.drawing.plot import Subject
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.format import from_here
from scalectl.orchestrator.report.figures import draw
from scalectl.orchestrator.report.fits import fit_or_reason, held_out_runs, study_points
from scalectl.orchestrator.store.records import Records


def conclude(experiment: Experiment) -> Generator[str, None, dict[str, dict[str, Any]]]:
    """Store the laws of a launch, draw the frontier of each, and yield the lines that report them.

    What the points can't carry is said in a line and fails nothing. Returns each law by its name, or why there is none.
    """
    store = Path(experiment.store)
    request, points = study_points(store, experiment.name)
    fits = experiment.fits or request.fits
    held = {name: held_out_runs(points, fit, None) for name, fit in fits.items()}
    laws = {name: fit_or_reason(points, fit, held[name]) for name, fit in fits.items()}
    try:
        with Records(store, launches=False) as records:
            for name, (law, refusal) in laws.items():
                if law:
                    records.save_fit(f"{experiment.name}/{name}", law.to_json())
                    yield f"{experiment.name} · {law}\n"
                else:
                    yield refusal
        for name, wanted in fits.items():
            figure = experiment.figure(name)
            subject = Subject(points, wanted.metric, wanted.compute, *laws[name], hold_out=held[name])
            draw("frontier", subject, figure, wide=True)
            yield f"{from_here(str(figure))} written."
    except Refusal as refused:
        yield str(refused)
    return {name: law.to_json() if law else {"refused": refusal} for name, (law, refusal) in laws.items()}
