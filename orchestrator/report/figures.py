"""The figures of a store, each with the law of its metric."""

from pathlib import Path
from typing import Any

from scalectl.analysis.drawing.fonts import missing
from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.plotting import draw as drawing
from scalectl.analysis.plotting import kind
from scalectl.analysis.report import AHEAD
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.report.fits import fit_or_reason, held_out_runs, refusals, study_points, training_curves
from scalectl.orchestrator.revision import revision


def draw(name: str, subject: Subject, file: Path, **options: Any) -> str:
    """Write a figure and its data, and return the letters that no font has for it.

    Raises Refusal when there is nothing to draw, or no way to write it.
    """
    try:
        with refusals():
            drawn = drawing(name, subject, revision(), **options)
            drawn.save(file)
            return missing(drawn.figure)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}.") from error


def draw_figure(
    name: str,
    file: Path,
    store: Path,
    *,
    study: str | None,
    where: str | None,
    hold_out: str | None,
    said: dict[str, Any],
    **options: Any,
) -> tuple[str, float, str]:
    """Write the figure of that name with the law of its metric; what was `said` stands in place of the study's words.

    Returns why there is no law, a compute to predict at, 0 without a law, and the letters that no font has.
    """
    curve, curves, is_of_curves = said["metric"] or "loss", None, kind(name).curves
    if is_of_curves:  # the metric is a column of theirs, and the law keeps the study's
        said = said | {"metric": None}
    request, points = study_points(store, study, where, **said)
    wanted = next(iter(request.fits.values()))
    held = held_out_runs(points, wanted, hold_out)
    fitted, refusal = fit_or_reason(points, wanted, held)
    if is_of_curves:
        curves = training_curves(store, points, curve, wanted.compute)
    subject = Subject(points, wanted.metric, wanted.compute, fitted, refusal, curves, curve, held, wanted.manner)
    letters = draw(name, subject, file, **options)
    dearer = 0.0
    if fitted:
        dearer = AHEAD * fitted.largest
    return refusal, dearer, letters
