"""A store of 10,000 runs of four models on 1,000 trunks, 200 of them not done, with 1,000 readings of each other.

uv run python benchmarks/large_store.py FOLDER [--readings 1000]

FOLDER gets results.db and experiments.yaml, for benchmarks/commands.py. Losses follow a law with 2 % of noise, so that
all verbs have something to say. Runs are written by the records of a launch, earlier readings of theirs by SQL.
"""

import argparse
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from scale import STUDY

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Done, Event, Measurement, Progress, Started
from scalectl.trainer.spec import Job

SEEDS, FIRST = 50, 1000  # of each cell, and the steps of its cheapest run
LEFT = 50  # of so many runs one is not done
EACH = 100  # steps between two rows of a curve
EARLIER = "INSERT INTO measurements (run, metric, step, value, settings, test_images) VALUES (?, ?, ?, ?, ?, ?)"


def told(job: Job, noise: random.Random) -> Iterator[Event]:
    """What a job tells: its curve, and at the end of a run its metrics."""
    yield Started(job.start, "node-37", 4242, "cpu", "{}")
    for step in range(job.start + 1, job.stop + 1):
        if step % EACH == 0 or step == job.stop:
            loss = 0.37 + 5 / step + 0.01 * noise.random()
            yield Progress(step, loss, 1e-3, 2.5, 0.01 * step, 1600.0, 3.7e9, 0.37)
    if job.run:
        model, images = job.trunk.model, 16 * job.stop
        least = 0.02 + 0.3 * (model.width**2 * model.depth) ** -0.5 + job.trunk.data.size**-0.5
        error = least + 1.5 * images**-0.3 * noise.gauss(1, 0.02)
        for metric in job.evals.metrics():
            yield Measurement(metric, job.stop, error * (1 if "error" in metric else 2), "{}", 360)
    yield Done(job.stop, "0" * 64, 0.01 * job.stop, 0.0, 0)


def earlier(store: Path, readings: int) -> int:
    """Write so many readings of each run that is done, before those at its end; return how many the store has."""
    with closing(sqlite3.connect(store)) as connection, connection:
        ends = connection.execute("SELECT run, metric, step, value, settings, test_images FROM measurements").fetchall()
        metrics = len({metric for _, metric, *_ in ends})
        for run, metric, step, value, *rest in ends:
            before = range(step - readings // metrics + 1, step)
            connection.executemany(EARLIER, ((run, metric, n, value + 1e-6 * (step - n), *rest) for n in before))
        return int(connection.execute("SELECT count(*) FROM measurements").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readings", type=int, default=1000, help="of each run")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    file, store = asked.folder / "experiments.yaml", asked.folder / "results.db"
    steps, noise = str([*range(FIRST, 2 * FIRST, 100)]), random.Random(0)
    file.write_text(STUDY.format(seeds=[*range(SEEDS)]).replace(str([*range(100, 1001, 100)]), steps))
    experiment = read(file)
    found, runs = plan(experiment), 0
    with Records(store) as records:
        records.plan(found, experiment)
        for job in found.jobs:
            runs += bool(job.job.run)
            if not job.job.run or runs % LEFT:
                records.write(records.start(job, "cpu-0"), [*told(job.job, noise)])
    print(f"{store}: {len(found.runs):,} runs, {earlier(store, asked.readings):,} measurements")


if __name__ == "__main__":
    main()
