"""What a store's runs say of runs that aren't there, for the command line: predictions, and what to run next."""

from dataclasses import dataclass
from pathlib import Path

from pandas import DataFrame

from scalectl.analysis.checks import Refused
from scalectl.analysis.prediction import Prediction, predict
from scalectl.analysis.suggestion import Advice, suggest
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.experiment import read
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.report.candidates import addition, rows, widened
from scalectl.orchestrator.report.fits import asked
from scalectl.orchestrator.store.known import known


def predicted(points: DataFrame, wanted: Fit, **question: float | None) -> Prediction:
    """Return the answer to a question of `analysis.predict`; raises Refusal where the points can't carry it."""
    try:
        return predict(points, wanted.metric, wanted.compute, law=wanted.law, **question)
    except Refused as refused:
        raise Refusal(str(refused)) from None


@dataclass(frozen=True)
class Next:
    """What to run next, and the file that runs it."""

    study: str
    advice: Advice
    yaml: str


def suggested(file: Path, budget: float, metric: str | None, target: float | None, stop: float) -> Next:
    """Return which runs the study of a file should add for a budget of training FLOPs.

    Raises InvalidExperiment for its file, NotFound without a store, and Refusal where the runs can't carry advice.
    """
    experiment = read(file)
    found, points = asked(Path(experiment.store), experiment.name, metric=metric)
    wanted, record = next(iter(found.fits.values())), known(experiment.store)
    wide = widened(file, experiment)
    table = DataFrame(rows(wide, record))
    try:
        advice = suggest(points, table, budget, wanted.metric, "flops", target=target, stop=stop)
    except Refused as refused:
        raise Refusal(str(refused)) from None
    chosen = [run.run for run in advice.runs]
    return Next(experiment.name, advice, _headed(advice) + addition(file, experiment, wide, chosen, record))


def _headed(advice: Advice) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in str(advice).splitlines())
