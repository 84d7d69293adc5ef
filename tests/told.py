"""What a trainer would tell, made by hand: whole launches for the record in milliseconds."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from conftest import Study

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Checkpoint, Done, Event, Measurement, Progress, Started
from scalectl.trainer.spec import Job

SECONDS_A_STEP = 0.25
TEST_IMAGES = 360  # of digits


def planned(study: Study, **changes: str) -> Plan:
    """The study's plan, given what its store knows."""
    return plan(read(study.write(**changes)), known(study.store))


def planning(study: Study, **changes: str) -> tuple[Records, Plan]:
    """The study's store, open, with its plan written down."""
    records, found = Records(study.store), planned(study, **changes)
    records.plan(found, read(study.file))
    return records, found


def started(step: int = 0) -> Started:
    return Started(step, "node-37", 4242, "cpu", '{"jax": "0.10.2"}')


def progress(step: int, loss: float = 0.37) -> Progress:
    return Progress(step, loss + 1 / step, 1e-3, 2.5, SECONDS_A_STEP * step, 16 / SECONDS_A_STEP, 3.7e9, 0.37)


def checkpoint(job: PlannedJob, step: int, *, kept: bool) -> Checkpoint:
    """A checkpoint whose folder is on disk."""
    path = Path(job.job.folder) / str(step)
    path.mkdir(parents=True, exist_ok=True)
    return Checkpoint(step, str(path), f"{step:064x}", kept, SECONDS_A_STEP * step)


def told(job: PlannedJob, start: int | None = None, value: float = 0.25) -> list[Event]:
    """All that a job tells from its start, or from `start`, to its end; its metrics are `value`."""
    first, stop = job.job.start if start is None else start, job.job.stop
    curve = [progress(step) for step in range(first + 1, stop + 1)]
    read_off = [Measurement(name, stop, value, text, TEST_IMAGES) for name, text in job.job.evals.metrics().items()]
    end = Done(stop, f"{stop:064x}", SECONDS_A_STEP * stop, 1.5, 1, 0.37)
    return [started(first), *curve, checkpoint(job, stop, kept=True), *read_off, end]


def two_models_in_turn(study: Study, shortest: int) -> Path:
    """The store of a study with a second model: on a law of steps each is the best at every other budget."""
    second = "  nano: {width: 12, depth: 1, num_heads: 2, patch_size: 4}\ndata:\n"
    study.file.write_text(study.file.read_text().replace("data:\n", second, 1))
    study.write = lambda **_: study.file
    records, found = planning(study)
    with records:
        for job in found.jobs:
            best = (job.job.stop // shortest).bit_length() % 2 == (job.job.trunk.model.width == 8)
            write(records, [job], value=0.05 + 0.7 * (1 + job.job.stop / 30) ** -0.5 if best else 0.9)
    return study.store


def write(records: Records, jobs: Iterable[PlannedJob], value: float = 0.25) -> None:
    """Write jobs down from start to end, one after the other."""
    for job in jobs:
        records.write(records.start(job, "here"), told(job, value=value))


def filled(folder: Path) -> Study:
    """A study of two runs that are done, in a new folder."""
    study = Study(folder)
    records, found = planning(study)
    with records:
        write(records, found.jobs, value=1 / 3)
    return study


TWO = """
  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 4}
data:"""


def half_done(study: Study, law: Callable[[float, float, float], float]) -> Study:
    """A study of 2 models and 3 sizes whose longest runs are not done; what the others measured is told by a law of
    forward FLOPs, images seen and parameters.
    """
    text = study.write(sizes="[40, 60, 90]", steps="[20, 40]").read_text().replace("\ndata:", TWO, 1)
    study.file.write_text(text)
    with Records(study.store) as records:
        found = plan(read(study.file))
        records.plan(found, read(study.file))
        for job in found.jobs:
            run = next((run for run in found.runs if run.id == job.id), None)
            value = 0.25 if run is None else float(law(run.flops_per_image, 16e4 * run.spec.steps, run.params))
            write(records, [job], value)
    study.file.write_text(text.replace("steps: [20, 40]", "steps: [20, 40, 80]"))
    return study


def planned_again(study: Study, records: Records) -> Plan:
    """The plan of a study's file as it is, written down."""
    found = plan(read(study.file), known(study.store))
    records.plan(found, read(study.file))
    return found


def rows(study: Study, query: str) -> list[Any]:
    """The rows that SQL gives: tuples, or bare values where there is one column."""
    with closing(sqlite3.connect(study.store)) as store:
        found = store.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def everything(study: Study) -> dict[str, list[Any]]:
    """All rows of all tables."""
    tables = rows(study, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {table: rows(study, f"SELECT * FROM {table}") for table in tables}


def from_scratch(job: Job, folder: str) -> Job:
    """The job that trains `job.run` alone from step 0, sharing nothing, in `folder`."""
    return replace(job, id=f"{job.id}-alone", start=0, folder=folder, origin=None)
