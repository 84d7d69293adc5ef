"""Predictions from the runs of a store, and the runs to add to a study."""

from dataclasses import dataclass
from pathlib import Path

from pandas import DataFrame

from scalectl.analysis.checks import Refused
from scalectl.analysis.prediction import Prediction, predict
from scalectl.analysis.suggestion import Advice, suggest
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.report.candidates import addition, rows, widened
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.store.reading import Store


def predicted(points: DataFrame, wanted: Fit, **question: float | None) -> Prediction:
    """The answer to a question of `analysis.predict`; raises Refusal where the points can't carry it."""
    try:
        return predict(points, wanted.metric, wanted.compute, law=wanted.law, **question)
    except Refused as refused:
        raise Refusal(str(refused)) from None


@dataclass(frozen=True)
class Suggestion:
    """The advice on the runs to add to a study, and the file that runs them."""

    study: str
    advice: Advice
    yaml: str


def suggested(file: Path, budget: float, metric: str | None, target: float | None, stop: float) -> Suggestion:
    """The runs that the study of a file should add for a budget of training FLOPs.

    Raises InvalidExperiment for its file, NotFound without a store, and Refusal where the runs can't carry advice.
    """
    experiment = read(file)
    request, points = study_points(Path(experiment.store), experiment.name, metric=metric)
    wanted, record = next(iter(request.fits.values())), Store(experiment.store).known()
    wide = widened(file, experiment)
    table = DataFrame(rows(wide, record))
    try:
        advice = suggest(points, table, budget, wanted.metric, "flops", target=target, stop=stop)
    except Refused as refused:
        raise Refusal(str(refused)) from None
    chosen = [run.run for run in advice.runs]
    return Suggestion(experiment.name, advice, _headed(advice) + addition(file, experiment, wide, chosen, record))


def _headed(advice: Advice) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in str(advice).splitlines())
