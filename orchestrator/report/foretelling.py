"""The runs of a file that are not done, predicted before they are trained; and what came of such predictions."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd

from scalectl.analysis.checks import Refused
from scalectl.analysis.foretold import Foretelling, Judged, foretell, judge
from scalectl.orchestrator.errors import Exit, NotFound, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import planned_runs
from scalectl.orchestrator.report.fits import kept_runs, refusals, study_points
from scalectl.orchestrator.report.points import all_points
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.vocabulary import ENDED

_REMEDY = "Write it with predict --missing -o csv."
_NUMBERS = ("estimate", "low", "high")


class NoPredictions(Refusal):
    """A file that has no predictions."""

    exit = Exit.INVALID


def foretelling(file: Path, store: Path | None, where: str | None, **said: Any) -> Foretelling:
    """The predictions of the runs of a file that are not done, from those of its study in a store, by default its own.

    Raises InvalidExperiment for the file, NotFound without a store, and Refusal where nothing is left to predict or
    the runs can't carry it.
    """
    experiment = read(file)
    place = store or Path(experiment.store)
    request, points = study_points(place, experiment.name, where, **said)
    wanted = next(iter(request.fits.values()))
    left = [run for run in planned_runs(experiment, Store(place).known()) if run.state not in ENDED]
    rows = [
        {
            "run": run.id,
            "name": run.name,
            "images_seen": run.spec.steps * run.spec.trunk.recipe.batch_size,
            "data_size": run.spec.trunk.data.size,
            "flops": run.flops,
        }
        for run in left
    ]
    if not rows:
        raise Refusal(f"refused: all runs of {file} have ended: no run is left to predict.")
    with refusals():
        return foretell(kept_runs(points, wanted), pd.DataFrame(rows), wanted.metric)


def outcomes(store: Path, file: Path) -> Judged:
    """What came of the predictions in a CSV or JSON-lines file of `foretelling`, in a store.

    Raises NotFound without the file, and NoPredictions for a file that has none.
    """
    reader = {".csv": _csv, ".jsonl": _jsonl}.get(file.suffix)
    if reader is None:
        raise NoPredictions(f"{file}: predictions are in a .csv or .jsonl file. {_REMEDY}")
    try:
        return judge(reader(file), all_points(store))
    except FileNotFoundError:
        raise NotFound(f"{file} isn't there.") from None
    except (Refused, ValueError) as wrong:
        raise NoPredictions(f"{file}: {wrong} {_REMEDY}") from None


def _csv(file: Path) -> pd.DataFrame:
    """Names as they are, also such as NA and 1e5, and numbers to the last digit."""
    with file.open(newline="") as lines:
        table = pd.DataFrame(csv.DictReader(lines))
    numbers = [name for name in _NUMBERS if name in table]
    return table.assign(**{name: table[name].replace("", "nan").map(float) for name in numbers})


def _jsonl(file: Path) -> pd.DataFrame:
    return pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()])
