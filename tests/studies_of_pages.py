"""Stores for tests of the page: runs of a made table, with names that hold markup, and a study of the store's own."""

from pathlib import Path

import numpy as np
import pandas as pd
from conftest import Study
from runs import METRIC, laptop
from told import planning, write

from scalectl.orchestrator.store.headers import Wishes
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.records import Records

MARKUP = "<img src=x onerror=\"document.title='ran'\">"
CLOSING = "</script><script>document.title='ran'</script>"
COLUMNS = ["name", "model", "params", "data_size", "steps", "seed", "flops", METRIC]


def imported(folder: Path, runs: pd.DataFrame, *more: str) -> Path:
    """A store with these runs as a file of other people has them, with `more` columns."""
    runs[[*COLUMNS, *more]].to_csv(folder / "runs.csv", index=False)
    table = read(folder / "runs.csv", Wishes(test_images=360))
    with Records(folder / "results.db") as records:
        records.take_in(table.runs, "others", "runs.csv")
    return folder / "results.db"


def named_with_markup(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs, of which two have names and one has a model that a page must not take for markup."""
    names = [MARKUP, CLOSING, *runs["name"][2:]]
    return runs.assign(name=names, model=runs["model"].replace("nano", "<b>nano</b>"))


def several(number: int) -> pd.DataFrame:
    """So many runs like those of a laptop's study, each a little dearer and better than its like."""
    base = laptop()
    copies = [
        base.assign(seed=copy, flops=base["flops"] * 1.01**copy, **{METRIC: base[METRIC] * 0.995**copy})
        for copy in range(-(-number // len(base)))
    ]
    runs = pd.concat(copies, ignore_index=True).iloc[:number]
    names = [f"run-{place:03d}" for place in range(len(runs))]
    return runs.assign(name=names, run=names)


def trained(folder: Path) -> Study:
    """A study of six runs on two trunks, with curves, of which all but the last job are done."""
    study = Study(folder)
    records, plan = planning(study, sizes="[60, 120]", steps="[20, 40, 80]")
    with records:
        for place, job in enumerate(plan.jobs[:-1]):
            write(records, [job], value=float(np.exp(-place / 7)) / 2)
    return study
