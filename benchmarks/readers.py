"""Whether a launch of minutes and twenty readers of its large store get along: errors, and memory that grows.

uv run python benchmarks/readers.py [--runs 10000] [--minutes 10] [--readers 20] [--slots 8] [--folder F]

Most runs are done before; then a launch in a process of its own carries out the rest, by the loop, the board and the
records of every launch. Only training is simulated: slots tell what a trainer would, at its pace. Meanwhile each reader
does again and again what `scalectl status`, `show` and pandas do. Memory is the resident set of each process.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

import pandas as pd
import psutil
from store import planned

from scalectl.orchestrator.cluster.base import Batch
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.lock import holding
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Checkpoint, Done, Event, Measurement, Progress, Started
from scalectl.trainer.spec import Job

DONE = 0.7  # of the runs, before the launch
ROWS = 20  # of the curve of a job
JOB_SECONDS = 4.0
BATCH_SECONDS = 0.5
READ_SECONDS = 5.0  # between what a reader reads, as people who watch a launch do
MOMENTS = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the time, at which memory is compared


def told(job: Job) -> list[Event]:
    """What a trainer tells of a job, from its start to its end."""
    steps = sorted({job.start + (job.stop - job.start) * n // ROWS for n in range(1, ROWS + 1)})
    curve = [Progress(step, 0.37 + 1 / step, 1e-3, 2.5, 0.01 * step, 1600.0, 3.7e9, 0.37) for step in steps]
    Path(job.folder, str(job.stop)).mkdir(parents=True, exist_ok=True)
    saved = Checkpoint(job.stop, str(Path(job.folder, str(job.stop))), f"{job.stop:064x}", True, 0.01 * job.stop)
    values = [Measurement(name, job.stop, 0.25, settings) for name, settings in job.evals.metrics().items()]
    end = Done(job.stop, f"{job.stop:064x}", 0.01 * job.stop, 1.5, 1, 0.37)
    return [Started(job.start, "node-37", 4242, "cpu", "{}"), *curve, saved, *values, end]


@dataclass
class Simulated:
    """A cluster whose slots tell what a trainer would, a part of it at a time."""

    slots: tuple[str, ...]
    types: dict[str, str] = field(default_factory=dict)
    left: dict[str, list[Event]] = field(default_factory=dict)
    waiting: str = ""
    lost: str = ""

    def start(self, slot: str, job: Job) -> None:
        """Begin a job."""
        self.left[slot] = told(job)

    def events(self, timeout: float) -> list[Batch]:
        """The next part of what each slot tells."""
        time.sleep(BATCH_SECONDS)
        batches = []
        for slot, events in list(self.left.items()):
            part = -(-(ROWS + 5) * BATCH_SECONDS // JOB_SECONDS)
            batches.append((slot, events[: int(part)]))
            self.left[slot] = events[int(part) :]
            if not self.left[slot]:
                del self.left[slot]
        return batches

    def notices(self) -> list[str]:
        """Nothing is noticed."""
        return []

    def stop(self, slot: str) -> None:
        """Nothing: a job ends within seconds."""

    def close(self) -> None:
        """Nothing is held."""


def fill(jobs: Sequence[PlannedJob], records: Records) -> None:
    """Write down jobs as done."""
    for job in jobs:
        records.write(records.start(job, "cpu-0"), told(job.job))


def carry_out(file: Path, slots: int, ended: Flag) -> None:
    """Launch what is missing, until told to end."""
    experiment = read(file)
    store, stopping = Path(experiment.store), threading.Event()
    threading.Thread(target=lambda: (ended.wait(), stopping.set()), daemon=True).start()
    with holding(store) as lock, Records(store, lock) as records:
        record = known(store, experiment.artifacts)
        missing = plan(experiment, record)
        records.plan(missing, experiment)
        cluster = Simulated(tuple(f"cpu-{n}" for n in range(slots)))
        for _ in launch(missing, records, cluster, record.checkpoints, LaunchConfig(stopping=stopping)):
            pass


def look(store: Path, number: int, ended: Flag, answers: "multiprocessing.Queue[tuple[int, list[str]]]") -> None:
    """Read in turn the status, the table of points and one run until told to end; errors are kept, and go on."""
    count, errors, asked = 0, list[str](), Store(store)
    while not ended.is_set():
        try:
            status = asked.status()
            assert status.launcher is not None, "no launch is seen"
            asked.run(status.runs[(37 * count + number) % len(status.runs)].id)
            points = pd.read_sql_table("points", f"sqlite:///{store}")
            assert len(points) == len(status.runs), f"{len(points)} points of {len(status.runs)} runs"
            count += 1
        except Exception as error:
            errors.append(repr(error))
        ended.wait(READ_SECONDS)
    answers.put((count, errors))


def jobs_done(store: Path) -> int:
    """The number of jobs that are done."""
    return int(pd.read_sql_query("SELECT count(*) FROM jobs WHERE state = 'done'", f"sqlite:///{store}").iloc[0, 0])


def sampled(processes: dict[str, int], minutes: float) -> Iterator[tuple[float, dict[str, float]]]:
    """The minute, and the MiB of each process, six times a minute."""
    began = time.monotonic()
    while (minute := (time.monotonic() - began) / 60) < minutes:
        yield minute, {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in processes.items()}
        time.sleep(min(10.0, 60 * minutes / 20))


def report(memory: dict[str, list[tuple[float, float]]], minutes: float) -> None:
    """Print what each kind of process had at some moments, the first after its start."""
    moments = [minutes * share for share in MOMENTS]
    kinds = defaultdict(list)
    for name, samples in memory.items():
        after = [[mib for minute, mib in samples if minute >= moment] for moment in moments]
        kinds[name.split("-")[0]].append([(found or [samples[-1][1]])[0] for found in after])
    print(f"MiB in minutes {', '.join(f'{moment:.1f}' for moment in moments)}")
    for kind, rows in kinds.items():
        means = ", ".join(f"{sum(column) / len(column):.0f}" for column in zip(*rows, strict=True))
        print(
            f"{kind}: {means} (mean of {len(rows)}); the most that one grew by: {max(r[-1] - r[0] for r in rows):.0f}"
        )


def watched(store: Path, file: Path, given: argparse.Namespace) -> None:
    """Launch, read meanwhile, and print what came of it."""
    context = multiprocessing.get_context("spawn")  # nothing of this process's memory is in theirs
    ended, answers = context.Event(), context.Queue()
    runs, jobs = Store(store).status().counts["done"], jobs_done(store)
    launcher = context.Process(target=carry_out, args=(file, given.slots, ended), name="launcher")
    launcher.start()
    while Store(store).launcher() is None:
        time.sleep(0.2)
    readers = [
        context.Process(target=look, args=(store, n, ended, answers), name=f"reader-{n}") for n in range(given.readers)
    ]
    for reader in readers:
        reader.start()
    memory = defaultdict(list)
    for minute, sizes in sampled({process.name: process.pid for process in (launcher, *readers)}, given.minutes):
        for process, mib in sizes.items():
            memory[process].append((minute, mib))
    print(f"the launch went on to the end: {launcher.is_alive()}; load {psutil.getloadavg()[0]:.0f}", flush=True)
    ended.set()
    said = [answers.get() for _ in readers]
    for process in (launcher, *readers):
        process.join()
    errors = [error for _, some in said for error in some]
    runs, jobs = Store(store).status().counts["done"] - runs, jobs_done(store) - jobs
    print(f"meanwhile done: {jobs:,} jobs, {runs:,} runs; exit code of the launch: {launcher.exitcode}")
    print(f"reads: {sum(count for count, _ in said):,}; errors: {errors[:5]} ({len(errors)})")
    report(memory, given.minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        store, file = Path(name, "results.db"), Path(name, "experiments.yaml")
        found, experiment = planned(Path(name), given.runs)
        with Records(store) as records:
            records.plan(found, experiment)
            fill(found.jobs[: int(DONE * len(found.jobs))], records)
        print(f"{len(found.runs):,} runs, {jobs_done(store):,} of {len(found.jobs):,} jobs done", flush=True)
        watched(store, file, given)


if __name__ == "__main__":
    main()
