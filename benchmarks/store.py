"""How fast results.db takes measurements while others read it, and how fast it answers when it is large.

uv run python benchmarks/store.py [--runs 10000] [--measurements 10000000] [--readers 4] [--batch 1000] [--folder F]

Runs are planned, placed and written down as a launch does it, job by job, through orchestrator/store/records.py;
each reader does in a process of its own what `scalectl status --watch` does. Each command then answers in one as well.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event as Ended
from pathlib import Path

from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Done, Event, Measurement, Started

STUDY = """\
version: 1
name: large
models: {{pico: {{width: 8, depth: 1, num_heads: 2, patch_size: 4}}}}
data: {{source: digits, sizes: [60]}}
train:
  batch_size: 16
  optimizer: {{name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {{head: 3.0, body: 0.03}}}}
  schedule: {{name: rsqrt, warmup: 4, timescale: 10, cooldown: 20%}}
budgets: {{steps: {steps}}}
grid: {{seeds: {seeds}}}
evals: {{upstream: {{metrics: [loss, error]}}, fewshot: {{datasets: [digits], shots: [5, 10], seeds: 2}}}}
"""
BUDGETS = 100  # of each seed
METRICS = ("upstream/loss", "upstream/error", "fewshot/digits/5shot/error", "fewshot/digits/10shot/error")
READ_SECONDS = 2.0
EACH = 1_000  # measurements of a run

PANDAS = """
import time
import pandas as pd
from scalectl import analysis
began = time.perf_counter()
url = "sqlite:///{store}"
found = {read}
print(len(found), time.perf_counter() - began)
"""
READS = {
    "points": 'pd.read_sql_table("points", url)',
    "measurements": "analysis.measurements(url)",
    "measurements by pandas alone": 'pd.read_sql_query("SELECT run, metric, step, value FROM measurements", url)',
}


def planned(folder: Path, runs: int) -> tuple[Plan, Experiment]:
    steps, seeds = [*range(1000, 1000 + 10 * BUDGETS, 10)], [*range(max(1, runs // BUDGETS))]
    (folder / "experiments.yaml").write_text(STUDY.format(steps=steps, seeds=seeds))
    experiment = read(folder / "experiments.yaml")
    return plan(experiment), experiment


def told(job: PlannedJob, batch: int) -> Iterator[list[Event]]:
    """What a job tells that ends with EACH measurements, in batches."""
    first = job.job.stop - EACH // len(METRICS) + 1
    readings = [
        Measurement(metric, step, 0.37 + 1e-7 * step, "{}")
        for step in range(first, job.job.stop + 1)
        for metric in METRICS
    ]
    yield [Started(job.job.start, "node-37", 4242, "cpu", "{}")]
    for n in range(0, len(readings), batch):
        yield list(readings[n : n + batch])
    yield [Done(job.job.stop, "0" * 64, 37.0, 1.5, 1, None)]


def poll(store: Path, ended: Ended, answers: "multiprocessing.Queue[tuple[int, str]]") -> None:
    """Read the status until told to end; an error ends it as well."""
    count, error = 0, ""
    while not (ended.is_set() or error):
        try:
            Store(store).status().to_json()
            count += 1
        except Exception as found:
            error = repr(found)
        ended.wait(READ_SECONDS)
    answers.put((count, error))


def write(store: Path, found: Plan, experiment: Experiment, total: int, batch: int) -> tuple[int, float, float]:
    """The measurements written, and the seconds and CPU seconds that their jobs took, starts and ends included."""
    with Records(store) as records:
        records.plan(found, experiment)
        jobs = [job for job in found.jobs if job.job.run]
        count, began, used = 0, time.perf_counter(), time.process_time()
        for job in jobs[: -(-total // EACH)]:
            attempt = records.start(job, "cpu-0")
            for events in told(job, batch):
                records.write(attempt, events)
                count += sum(isinstance(event, Measurement) for event in events)
        return count, time.perf_counter() - began, time.process_time() - used


def reading(store: Path, file: Path, run: str) -> Iterator[list[str]]:
    """The words of verbs that read, without those that fit."""
    yield from (["validate", str(file)], ["plan", str(file)], ["db", "check", "--store", str(store)])
    for words in (
        ["status"],
        ["status", "--runs"],
        ["status", "-o", "json"],
        ["status", "--where", "steps > 1500", "-o", "csv"],
        ["show", run],
        ["logs", run],
        ["query", "SELECT * FROM points", "-o", "csv"],
        ["export", "-o", str(store.with_name("runs.csv"))],
    ):
        yield [*words, "--store", str(store)]


def cpu_seconds(*words: str) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--measurements", type=int, default=10_000_000)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        store = folder / "results.db"
        began = time.perf_counter()
        found, experiment = planned(folder, given.runs)
        print(f"{len(found.runs):,} runs planned in {time.perf_counter() - began:.1f} s", flush=True)
        with Records(store) as records:
            records.plan(found, experiment)
        ended, answers = multiprocessing.Event(), multiprocessing.Queue()
        readers = [multiprocessing.Process(target=poll, args=(store, ended, answers)) for _ in range(given.readers)]
        for reader in readers:
            reader.start()
        count, seconds, used = write(store, found, experiment, given.measurements, given.batch)
        ended.set()
        told_back = [answers.get() for _ in readers]
        for reader in readers:
            reader.join()
        size = store.stat().st_size / 2**20
        rates = f"{count / seconds:,.0f} a second, {count / used:,.0f} a second of CPU"
        print(f"{count:,} measurements in {seconds:.1f} s: {rates}; {size:,.0f} MiB")
        print(f"reads meanwhile: {[reads for reads, _ in told_back]}; errors: {[bad for _, bad in told_back if bad]}")
        for words in reading(store, folder / "experiments.yaml", found.runs[-1].id):
            used, _ = cpu_seconds("-c", "from scalectl.orchestrator.cli.main import main; main()", *words)
            print(f"scalectl {' '.join(words)}: {used:.2f} s of CPU", flush=True)
        for what, how in READS.items():
            used, said = cpu_seconds("-c", PANDAS.format(store=store, read=how))
            rows, wall = said.split()
            print(f"{what} into pandas: {int(rows):,} rows in {float(wall):.2f} s, {used:.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
